"""One connection: answers in the order of the requests, deadlines, endings.

A connection is in one of these states, of which each but the third has a deadline for the client.
One sweep over all connections looks at the deadlines (`Shared.sweep`), so that a request starts no
timer.

    idle ──first byte──► head ──headers complete──► answering ──answer complete──► idle
                          │              (its body arrives, others wait behind it)
                          └──── refused ────► lingering ──► closed
"""

import asyncio
from collections import deque
from collections.abc import MutableMapping
from http import HTTPStatus
from math import inf
from typing import Any, cast

from modelium.common.health import AsgiApp
from modelium.common.http_exchange import Exchange
from modelium.common.http_head import Refused
from modelium.common.http_limits import ServerLimits
from modelium.common.http_scope import scope_of


class Shared:
    """What all connections of a server have in common; `connections` and `tasks` are uvicorn's."""

    def __init__(
        self,
        app: AsgiApp,
        limits: ServerLimits,
        connections: set["HttpConnection"],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self.app = app
        self.limits = limits
        self.connections = connections
        self.tasks = tasks
        self.date_line = b""
        self.stopping = False

    def sweep(self, now_s: float) -> None:
        """End what has been waited for too long."""
        for connection in list(self.connections):
            connection.check_deadlines(now_s)


class HttpConnection(asyncio.Protocol):
    """See the module; `http_protocol` adds what it reads."""

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = shared
        self._limits = shared.limits
        self._loop = loop
        self.transport: asyncio.Transport = cast("Any", None)  # until the connection is made
        self._scope: dict[str, Any] = {}
        self._in_head = False
        self._receiving: Exchange | None = None  # its body is not complete
        self._answering: Exchange | None = None
        self._queue: deque[tuple[Exchange, MutableMapping[str, Any]]] = deque()
        self._behind_bytes = 0  # read while requests waited
        self._refusal: Refused | None = None  # sent once the answers before it are
        self._ended = False  # what still arrives is dropped
        self._at_eof = False
        self._reading_paused = False
        self.write_paused = False
        self._drained: asyncio.Event | None = None
        self._unsent_bytes = 0
        self._read_deadline_s = inf
        self._write_deadline_s = inf

    @property
    def date_line(self) -> bytes:
        """See `Connection`."""
        return self._shared.date_line

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.transport = cast("asyncio.Transport", transport)
        if len(self._shared.connections) >= self._limits.max_connections:
            return self._turn_away()
        self.transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self._scope = scope_of(self.transport)
        self._shared.connections.add(self)
        self._read_deadline_s = self._loop.time() + self._limits.header_timeout_s

    def _turn_away(self) -> None:
        refused = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
        self.transport.write(refused.answer(self._shared.date_line))
        self._close()

    def eof_received(self) -> bool:
        """Whoever answers is told that the client is gone; what it still sends is delivered."""
        exchange = self._answering
        if exchange is None or exchange.more_body:
            return False
        self._ended = self._at_eof = True
        self._read_deadline_s = inf
        if self._receiving is not None:
            self._receiving = None
            self._queue.pop()  # it can never be whole
        exchange.leave()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._shared.connections.discard(self)
        self.resume_writing()
        waiting = [exchange for exchange, _ in self._queue]
        self._queue.clear()
        for exchange in (self._answering, self._receiving, *waiting):
            if exchange is not None:
                exchange.lose()
        self._answering = self._receiving = None

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.write_paused = True
        self._watch_reader()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self.write_paused = False
        self._write_deadline_s = inf
        if self._drained is not None:
            self._drained.set()

    # Order.

    def _start_next(self) -> None:
        exchange, scope = self._queue.popleft()
        self._answering = exchange
        if not self._queue:
            self._behind_bytes = 0
        if self._at_eof:
            exchange.leave()
        elif exchange.more_body:
            self._read_deadline_s = self._loop.time() + self._limits.body_timeout_s
        shared = self._shared
        shared.tasks.add(self._loop.create_task(exchange.run(shared.app, scope, shared.tasks)))

    def _control_reading(self) -> None:
        """Leave to the network what nobody has room for; the client is not late meanwhile.

        Until then reading goes on behind a request: nothing else shows that its client has gone.
        """
        receiving = self._receiving
        most = self._limits.read_buffer_bytes
        waiting = len(self._queue)
        full = receiving is not None and receiving.buffered_bytes > most
        if waiting and not full:
            full = waiting >= self._limits.max_pipelined or self._behind_bytes > most
        if full == self._reading_paused or self._at_eof or self.transport.is_closing():
            return
        self._reading_paused = full
        if full:
            self.transport.pause_reading()
            self._read_deadline_s = inf
        else:
            self.transport.resume_reading()
            if self._in_head:
                self._read_deadline_s = self._loop.time() + self._limits.header_timeout_s
            elif receiving is not None and receiving is self._answering:
                self._read_deadline_s = self._loop.time() + self._limits.body_timeout_s

    def body_taken(self) -> None:
        """See `Connection`."""
        if self._reading_paused:
            self._control_reading()

    async def drained(self) -> None:
        """See `Connection`."""
        if self._drained is None:
            self._drained = asyncio.Event()
        while self.write_paused:
            self._drained.clear()
            await self._drained.wait()

    def answered(self, exchange: Exchange) -> None:
        """See `Connection`."""
        self._answering = None
        if exchange.keep_alive:
            self._go_on()
        else:
            self._leave_off(exchange)
        if self._reading_paused:
            self._control_reading()

    def _go_on(self) -> None:
        if self._queue:
            self._start_next()
        elif self._refusal is not None:
            self._end_with(self._refusal)
        elif self._at_eof:
            self._close()
        elif not self._in_head:
            self._read_deadline_s = self._loop.time() + self._limits.idle_timeout_s

    def cut(self) -> None:
        """See `Connection`."""
        self._queue.clear()
        self._close()

    def refuse(self, refused: Refused) -> None:
        """See `Connection`."""
        self._queue.clear()
        self._answering = None
        self._end_with(refused)

    # Endings.

    def refuse_request(self, refused: Refused) -> None:
        """Answer the request that is arriving with this, after those before it, and close."""
        self._ended = True
        self._read_deadline_s = inf
        arriving, self._receiving = self._receiving, None
        if arriving is not None:
            if arriving.begun:
                self.cut()
                return
            if arriving is self._answering:
                self._answering = None
            else:
                self._queue.pop()
            arriving.lose()
        self._refusal = refused
        if self._answering is None:
            self._go_on()

    def _end_with(self, refused: Refused) -> None:
        self.transport.write(refused.answer(self._shared.date_line))
        self._linger()

    def _leave_off(self, exchange: Exchange) -> None:
        self._queue.clear()
        if exchange.more_body:
            self._linger()
        else:
            self._close()

    def _linger(self) -> None:
        """Close our side, and drop what the client still sends until it closes its own."""
        self._ended = True
        self._receiving = None
        if not self.transport.is_closing():
            self.transport.write_eof()
            self._read_deadline_s = self._loop.time() + self._limits.linger_s
            self._control_reading()

    def _close(self) -> None:
        """Close once what was written is sent, or its reader has had its time."""
        self._ended = True
        self._read_deadline_s = inf
        self.transport.close()
        self._watch_reader()

    def shutdown(self) -> None:
        """Answer what has been asked, nothing more, and close; called by uvicorn."""
        waiting = [exchange for exchange, _ in self._queue]
        last = waiting[-1] if waiting else self._answering
        if last is None:
            self._close()
        else:
            last.keep_alive = False

    # Deadlines.

    def check_deadlines(self, now_s: float) -> None:
        """End what has been waited for too long."""
        if self._write_deadline_s != inf:
            self._check_reader(now_s)
        if now_s >= self._read_deadline_s:
            self._expire()

    def _watch_reader(self) -> None:
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._write_deadline_s = self._loop.time() + self._limits.write_timeout_s

    def _check_reader(self, now_s: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent_bytes:
            self._write_deadline_s = now_s + self._limits.write_timeout_s
        elif now_s >= self._write_deadline_s:
            self.transport.abort()
        self._unsent_bytes = unsent

    def _expire(self) -> None:
        if self._in_head and not self._ended:
            self.refuse_request(_too_late("headers"))
        elif self._receiving is not None:
            self.refuse_request(_too_late("body"))
        else:
            self._close()


def _too_late(what: str) -> Refused:
    return Refused(HTTPStatus.REQUEST_TIMEOUT, f"The {what} did not arrive in time.")
