"""One keep-alive connection to an engine: bytes out, and one answer at a time in.

The parser is llhttp (httptools); nothing here looks at bytes itself. `pool.py` decides which
connection a request takes and when one is kept.

    idle ──send──▶ waiting ──headers──▶ answering ──end──▶ idle
      │               │                     │
      └───────────────┴──── lost, closed ───┴──▶ closed
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httptools

from modelium.gateway.edge.call import Headers
from modelium.gateway.engines.hop_by_hop import HOP_BY_HOP, named_in
from modelium.gateway.engines.upstream import EngineGone

MAX_HEADER_BYTES: Final = 64 * 1024
"""Of an answer: an engine runs a model that strangers made, so it is not trusted either."""
HIGH_WATER_BYTES: Final = 128 * 1024
"""As much of an answer is buffered before the engine has to wait for the client."""
_ONE_WRITE_BYTES: Final = 64 * 1024

_NOT_FOR_CLIENTS: Final = HOP_BY_HOP | {b"date", b"server", b"x-request-id"}
_NO_BODY: Final = frozenset({204, 304})


class EngineReply:
    """Implements `upstream.Reply`: what has arrived of one answer, and not been read yet."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_ended",
        "_failure",
        "_named",
        "_reader",
        "_size",
        "_sized",
        "headers",
        "status",
    )

    def __init__(self, connection: "EngineConnection") -> None:
        self._connection = connection
        self._chunks: list[bytes] = []
        self._size = 0
        self._ended = False
        self._failure: EngineGone | None = None
        self._reader: asyncio.Future[None] | None = None
        self._sized = False
        self._named: frozenset[bytes] = frozenset()
        self.status = 0
        self.headers: Headers = []

    async def read(self) -> bytes:
        """See `Reply.read`; what has arrived since the last call comes in one piece."""
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._reader = self._connection.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        self._connection.resume()
        return data

    def close(self) -> None:
        """See `Reply.close`."""
        if not self._ended and self._failure is None:
            self._connection.abort()

    # What the connection calls.

    def add(self, data: bytes) -> None:
        """Some of the body has arrived."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER_BYTES:
            self._connection.pause()
        self._wake()

    def end(self) -> None:
        """The answer has ended properly."""
        self._ended = True
        self._wake()

    def fail(self, failure: EngineGone) -> None:
        """The answer will never end properly."""
        if not self._ended:
            self._failure = failure
            self._wake()

    def take_header(self, name: bytes, value: bytes) -> None:
        """One header, by its lower-case name."""
        if name in (b"content-length", b"transfer-encoding"):
            self._sized = True
        if name not in _NOT_FOR_CLIENTS:
            self.headers.append((name, value))
        elif name == b"connection":
            self._named |= named_in(value)

    def begin(self, status: int) -> None:
        """All headers have come."""
        self.status = status
        if self._named:
            self.headers = [header for header in self.headers if header[0] not in self._named]

    def begin_again(self) -> None:
        """They were of a 1xx; those of the answer follow."""
        self.headers.clear()
        self._named = frozenset()

    @property
    def ends_with_connection(self) -> bool:
        """Whether the end of the connection is the proper end of the body."""
        return bool(self.status) and not self._sized and self.status not in _NO_BODY

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class EngineConnection(asyncio.Protocol):
    """See the module. `on_free(connection)` is called when it can take the next request."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_free: Callable[["EngineConnection"], None]
    ) -> None:
        self.loop = loop
        self.idle_since_s = 0.0
        self.closed = False
        self.received_any = False
        """Whether any byte of the answer to the last request has come."""
        self._on_free = on_free
        self._transport: Any = None
        self._parser: Any = None
        self._reply: EngineReply | None = None
        self._answered: asyncio.Future[EngineReply] | None = None
        self._header_bytes = 0
        self._unparsed_bytes = 0
        self._paused = False

    async def send(self, head: bytes, body: bytes) -> EngineReply:
        """Send one request, and wait for the headers of its answer.

        Cancelling closes the connection.

        Raises:
            EngineGone: there is no answer.
        """
        if self.closed:
            raise EngineGone("it closed the connection", reached=False)
        self._reply = EngineReply(self)
        self._header_bytes = 0
        self._unparsed_bytes = 0
        self.received_any = False
        answered: asyncio.Future[EngineReply] = self.loop.create_future()
        self._answered = answered
        if len(body) < _ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        try:
            return await answered
        except asyncio.CancelledError:
            if self._answered is answered:
                self.abort()
            raise
        finally:
            # A short answer has ended before this goes on, and the next request may be there.
            if self._answered is answered:
                self._answered = None

    def pause(self) -> None:
        """Let the engine wait: its answer is not read as fast as it comes."""
        if not self._paused and not self.closed:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Let the engine go on."""
        if self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once; what the engine still does for it is told to stop by this."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._reply is None:
            self.abort()  # nobody asked: whatever it is, the next request must not get it
            return
        self.received_any = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"its answer is not HTTP ({error})")
        except httptools.HttpParserUpgrade:
            self._fail("it wants to speak another protocol")
        else:
            if self._reply is not None and not self._reply.status:
                self._bound_headers(len(data))

    def _bound_headers(self, more: int) -> None:
        """The parser keeps a header that has not ended yet, however long it grows."""
        self._unparsed_bytes += more
        if self._unparsed_bytes > MAX_HEADER_BYTES:
            self._fail("its headers are too large")

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.closed = True
        reply = self._reply
        if reply is not None and exc is None and reply.ends_with_connection:
            self._reply = None
            reply.end()
        elif reply is not None:
            self._fail(str(exc) if exc else "it closed the connection")
        self._on_free(self)

    # httptools

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request must not meet the next request."""
        if self._reply is None:
            raise ValueError("it answered twice")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which nobody wants."""
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > MAX_HEADER_BYTES:
            raise ValueError("its headers are too large")
        if self._reply is not None and not self._reply.status:
            self._reply.take_header(name.lower(), value)

    def on_headers_complete(self) -> None:
        """The answer begins; 1xx is not it yet."""
        reply, status = self._reply, self._parser.get_status_code()
        if reply is None:
            return
        if status < 200:
            reply.begin_again()
            return
        reply.begin(status)
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(reply)

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self._reply is not None:
            self._reply.add(data)

    def on_message_complete(self) -> None:
        """The answer has ended; the connection may take the next request."""
        reply = self._reply
        if reply is None or not reply.status:
            return
        self._reply = None
        reply.end()
        if not self._parser.should_keep_alive():
            self.closed = True
            self._transport.close()
            return
        self.resume()
        self._on_free(self)

    def _fail(self, reason: str) -> None:
        failure = EngineGone(reason, reached=True)
        reply, self._reply = self._reply, None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(failure)
        elif reply is not None:
            reply.fail(failure)
        self.abort()
