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

from modelium.gateway.engines.reply import EngineReply
from modelium.gateway.engines.upstream import EngineGone

MAX_HEADER_BYTES: Final = 64 * 1024
"""Of an answer: an engine runs a model that strangers made, so it is not trusted either."""
_ONE_WRITE_BYTES: Final = 64 * 1024


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
        self._parts: list[bytes] = []
        self.on_body = self._parts.append
        """For the parser: a call of Python's for each of many small chunks would cost too much."""
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
            if self._parts:
                self._hand_over()
            elif self._reply is not None and not self._reply.status:
                self._bound_headers(len(data))

    def _hand_over(self) -> None:
        """Give to the reply what one read has brought of its body, in one piece."""
        parts = self._parts
        if self._reply is not None:
            self._reply.add(parts[0] if len(parts) == 1 else b"".join(parts))
        parts.clear()

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

    def on_message_complete(self) -> None:
        """The answer has ended; the connection may take the next request."""
        reply = self._reply
        if reply is None or not reply.status:
            return
        if self._parts:
            self._hand_over()
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
        if self._parts:
            self._hand_over()
        reply, self._reply = self._reply, None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(failure)
        elif reply is not None:
            reply.fail(failure)
        self.abort()
