"""HTTP as bytes: a client and an engine that show what arrived, and send what they are told.

Client libraries and web frameworks tidy messages up; tests that compare bytes must not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from modelium.common.testing import yield_to_others

Headers = list[tuple[bytes, bytes]]


@dataclass
class Message:
    """A request or an answer as it arrived; the body without its transfer encoding."""

    target: bytes = b""
    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    # What httptools calls.
    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


@dataclass(frozen=True)
class Reply:
    """An answer to send: `pieces` are written one by one, so that each arrives by itself."""

    status: int
    headers: Headers
    pieces: list[bytes]
    chunked: bool = True
    breaks_off: bool = False
    """Whether the connection is closed after the pieces, before the answer has ended."""

    def writes(self) -> list[bytes]:
        """The bytes of the whole message, in the portions in which they are sent."""
        size = sum(map(len, self.pieces)) + self.breaks_off
        length = b"content-length: %d" % size
        framing = b"transfer-encoding: chunked" if self.chunked else length
        lines = [b"HTTP/1.1 %d Told" % self.status, framing]
        lines += [name + b": " + value for name, value in self.headers]
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        if not self.chunked:
            return [head, *self.pieces]
        chunks = [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in self.pieces if piece]
        return [head, *chunks, b"" if self.breaks_off else b"0\r\n\r\n"]


async def read_message(reader: asyncio.StreamReader, *, answer: bool = False) -> Message:
    """The next message of the connection; not `complete` if that has ended before."""
    message = Message()
    kind: Any = httptools.HttpResponseParser if answer else httptools.HttpRequestParser
    parser = kind(message)
    while not message.complete:
        data = await reader.read(1 << 16)
        if not data:
            break
        parser.feed_data(data)
    message.status = parser.get_status_code() if answer else 0
    return message


async def ask(url: str, request: bytes) -> Message:
    """Send these bytes on a connection of their own, and get the answer, `complete` or not."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        return await read_message(reader, answer=True)
    finally:
        writer.close()


@dataclass
class RawEngine:
    """Answers every request with what `script` makes of it."""

    script: Callable[[Message], Reply]
    received: list[Message] = field(default_factory=list)
    url: str = ""
    sent_bytes: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its end."""
        self._open.add(writer)
        try:
            while (request := await read_message(reader)).complete:
                self.received.append(request)
                reply = self.script(request)
                for part in reply.writes():
                    writer.write(part)
                    await writer.drain()
                    self.sent_bytes += len(part)
                    await yield_to_others(2)
                if reply.breaks_off:
                    break
        except ConnectionError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def close(self) -> None:
        """End the connections that are kept open for more requests."""
        for writer in self._open:
            writer.close()
        while self._open:
            await yield_to_others(1)


@asynccontextmanager
async def raw_engine(script: Callable[[Message], Reply]) -> AsyncIterator[RawEngine]:
    """An engine that listens on a free port of loopback."""
    engine = RawEngine(script)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine.url = f"http://127.0.0.1:{port}"
    try:
        yield engine
    finally:
        server.close()
        await engine.close()
