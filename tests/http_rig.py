"""A real HTTP server with an application that records, and a client that writes raw bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httptools

from modelium.common.http_limits import ServerLimits
from modelium.common.http_server import bind, serve_http

App = Callable[[Any, Any, Any], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSING = b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass
class Answer:
    """One response as a client understands it."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False


class _Answers:
    """llhttp's events of a connection's responses."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.all: list[Answer] = []

    def on_message_begin(self) -> None:
        self.all.append(Answer())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.all[-1].headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.all[-1].status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.all[-1].body += data

    def on_message_complete(self) -> None:
        self.all[-1].whole = True


def answers_in(data: bytes) -> list[Answer]:
    """The responses that a client would find in these bytes; raises if they are not HTTP."""
    found = _Answers()
    found.parser.feed_data(data)
    return found.all


@dataclass
class Recorder:
    """Answers `<method> <path> <bytes of body>`, and keeps what it was asked."""

    scopes: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, event = b"", {"more_body": True}
        while event.get("more_body"):
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event["body"]
        self.bodies.append(body)
        await answer(send, f"{scope['method']} {scope['path']} {len(body)}".encode())

    def paths(self) -> list[str]:
        return [scope["path"] for scope in self.scopes]


async def answer(send: Any, body: bytes = b"ok", *headers: tuple[bytes, bytes]) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


def post(body: bytes, *lines: bytes, path: bytes = b"/") -> bytes:
    length = b"Content-Length: %d" % len(body)
    head = b"\r\n".join((b"POST %b HTTP/1.1" % path, b"Host: x", length, *lines))
    return head + b"\r\n\r\n" + body


class Waiting:
    """Answers when it is told to, and keeps what it saw of its client."""

    def __init__(self) -> None:
        self.begun = 0
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.gone = asyncio.Event()
        self.calls = 0
        self.events: list[str] = []

    def on_gone(self) -> None:
        self.calls += 1
        self.gone.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        scope["extensions"]["modelium.gone"](self.on_gone)
        await receive()
        self.started.set()
        await self.go.wait()
        await answer(send)
        self.events.append((await receive())["type"])


@asynccontextmanager
async def serving(app: App, **limits: Any) -> AsyncIterator[int]:
    """Serve on a free port, which is given, until the block ends."""
    bound = bind("127.0.0.1", 0, setting="test")
    bound.listen()
    async with asyncio.TaskGroup() as group:
        server = group.create_task(serve_http(app, bound, limits=ServerLimits(**limits)))
        try:
            yield bound.getsockname()[1]
        finally:
            server.cancel()


class Wire:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Write; each piece reaches the server on its own, if the system is kind."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def rest(self) -> bytes:
        """All that comes until the server closes; b"" also if it resets the connection."""
        try:
            return await self.reader.read(-1)
        except ConnectionResetError:
            return b""

    async def answers(self) -> list[Answer]:
        """All responses until the server closes."""
        return answers_in(await self.rest())

    async def next_answer(self) -> Answer:
        """One response with a Content-Length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        [found] = answers_in(head)
        found.body = await self.reader.readexactly(int(found.headers[b"content-length"]))
        return found


@asynccontextmanager
async def connected(port: int, *, receive_bytes: int | None = None) -> AsyncIterator[Wire]:
    """A connection to the server; with `receive_bytes` the system keeps that much unread."""
    sock = socket.socket()
    sock.setblocking(False)
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
