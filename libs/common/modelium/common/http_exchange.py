"""One request and its answer on a connection: ASGI's `receive` and `send`.

No task, timer or lock is made for one, only the application's own task. An application that wants
to know at once when its client is gone registers a callback instead of waiting in `receive`:

    scope["extensions"]["modelium.gone"](callback)

It is called once, when the connection is lost or its client sends no more (EOF) while the answer is
not complete, and never after it is; at once if that has happened before. A client that only closed
its sending side still gets what is sent.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import structlog

from modelium.common.boundary import attempt
from modelium.common.health import AsgiApp
from modelium.common.http_answer import InvalidAnswer, chunk, ending, length_of, lines, status_line
from modelium.common.http_head import Headers, Refused

GONE_EXTENSION: Final = "modelium.gone"

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY: Final = frozenset({204, 304})
_FRAMING: Final = frozenset({b"content-length", b"connection", b"transfer-encoding"})
_ONE_WRITE_BYTES: Final = 64 * 1024
"""Up to this, putting parts together costs less than several buffers."""

_log = structlog.get_logger()


class Connection(Protocol):
    """What an exchange needs of its connection."""

    transport: asyncio.Transport
    write_paused: bool

    @property
    def date_line(self) -> bytes: ...

    async def drained(self) -> None:
        """Wait until the client has read enough, or is gone."""

    def body_taken(self) -> None:
        """The application has taken what was read of the body."""

    def answered(self, exchange: "Exchange") -> None:
        """The answer is complete."""

    def refuse(self, refused: Refused) -> None:
        """End an exchange that the application did not answer."""

    def cut(self) -> None:
        """Close the connection in the middle of an answer."""


class Exchange:
    """See the module. `lose`, `add_body` and `end_body` are for the connection."""

    __slots__ = (
        "_body_delivered",
        "_changed",
        "_chunked",
        "_connection",
        "_expects_continue",
        "_left_bytes",
        "_on_gone",
        "_parts",
        "_speaks_1_0",
        "_unsent_head",
        "_without_body",
        "begun",
        "buffered_bytes",
        "complete",
        "gone",
        "keep_alive",
        "lost",
        "more_body",
        "started",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        keep_alive: bool,
        expects_continue: bool,
        is_head: bool,
        speaks_1_0: bool,
    ) -> None:
        self._connection = connection
        self.keep_alive = keep_alive
        self._expects_continue = expects_continue
        self._without_body = is_head
        self._speaks_1_0 = speaks_1_0
        self._parts: list[bytes] = []
        self.buffered_bytes = 0
        self.more_body = True
        self._body_delivered = False
        self._changed: asyncio.Event | None = None
        self._on_gone: Callable[[], None] | None = None
        self.gone = False
        self.lost = False
        self.started = False
        self.begun = False  # something of the answer was written
        self.complete = False
        self._chunked = False
        self._unsent_head = b""
        self._left_bytes: int | None = None

    async def run(
        self, app: AsgiApp, scope: MutableMapping[str, Any], tasks: set[asyncio.Task[None]]
    ) -> None:
        """Let the application answer; whatever it does, the exchange is over after it.

        The task leaves `tasks` by itself, which saves a callback at its end.
        """
        try:
            error = await attempt(app(scope, self.receive, self.send))
            if error is not None:
                _log.error("http.application_failed", path=scope["path"], exc_info=error)
            if not self.complete and not self.lost:
                self._end(error)
        finally:
            self._on_gone = None
            if not self.complete and not self.lost:
                self._connection.cut()
            task = asyncio.current_task()
            if task is not None:
                tasks.discard(task)

    def _end(self, error: Exception | None) -> None:
        if self.begun or self.gone:
            self._connection.cut()
        elif isinstance(error, InvalidAnswer):
            self._connection.refuse(Refused(HTTPStatus.BAD_GATEWAY, str(error)))
        else:
            text = "The server failed to answer."
            self._connection.refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, text))

    # The connection's side.

    def add_body(self, data: bytes) -> None:
        """More of the request's body has arrived."""
        self._parts.append(data)
        self.buffered_bytes += len(data)
        self._wake()

    def end_body(self) -> None:
        """The request is whole."""
        self.more_body = False
        self._wake()

    def leave(self) -> None:
        """The client sends no more, and may be gone: whoever asked is told."""
        if self.gone or self.complete:
            return
        self.gone = True
        self._wake()
        callback, self._on_gone = self._on_gone, None
        if callback is not None:
            callback()

    def lose(self) -> None:
        """The connection is lost: nothing more can be sent."""
        self.lost = True
        self.leave()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    # The application's side.

    def on_gone(self, callback: Callable[[], None]) -> None:
        """See the module; a second callback takes the place of the first."""
        if self.gone:
            callback()
        elif not self.complete:
            self._on_gone = callback

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part of the body, then `http.disconnect` once that is so."""
        if self._expects_continue and not (self.started or self.gone):
            self._expects_continue = False
            if self.more_body and not self._parts:
                self._connection.transport.write(_CONTINUE)
        while not (self.lost or self.complete):
            if self._parts or not (self.more_body or self._body_delivered):
                return self._take_body()
            if self.gone:
                break
            if self._changed is None:
                self._changed = asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        return {"type": "http.disconnect"}

    def _take_body(self) -> MutableMapping[str, Any]:
        body = b"".join(self._parts)
        self._parts.clear()
        self.buffered_bytes = 0
        self._body_delivered = not self.more_body
        if self.more_body:
            self._connection.body_taken()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Write a part of the answer, once the client has read enough of what was sent before.

        Raises:
            InvalidAnswer: it cannot be sent; nothing of it was.
        """
        if self._connection.write_paused and not self.lost:
            await self._connection.drained()
        if self.lost:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.complete:
            self._send_body(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._send_head(message["status"], message.get("headers", []))
        else:
            raise InvalidAnswer(f"{kind} was sent out of turn")

    def _send_head(self, status: int, headers: Headers) -> None:
        length: int | None = None
        # What is still to come of a request would be taken for the next one if it came late.
        keep_alive = self.keep_alive and not self.more_body
        parts: list[bytes] = []
        for raw_name, value in headers:
            name = raw_name.lower()
            if name in _FRAMING:
                if name == b"content-length":
                    length = length_of(value, length)
                elif name == b"connection":
                    keep_alive = keep_alive and b"close" not in value.lower()
                    continue
                else:
                    continue  # how an answer is framed is the server's business
            parts += (name, b": ", value, b"\r\n")
        open_ended = length is None and not self._without_body and status not in _WITHOUT_BODY
        keep_alive = keep_alive and not (open_ended and self._speaks_1_0)
        chunked = open_ended and not self._speaks_1_0
        end = ending(chunked=chunked, keep_alive=keep_alive, announce=self._speaks_1_0)
        head = (status_line(status), self._connection.date_line, lines(parts), end)
        self._unsent_head = b"".join(head)
        self.started, self.keep_alive = True, keep_alive
        self._chunked, self._left_bytes = chunked, length
        self._without_body = self._without_body or status in _WITHOUT_BODY
        if self._without_body:
            self._left_bytes = None  # what a body would have had

    def _send_body(self, body: bytes, more: bool) -> None:
        if self._left_bytes is not None:
            self._left_bytes -= len(body)
            if self._left_bytes < 0 or (self._left_bytes and not more):
                raise InvalidAnswer("the body is not as long as its Content-Length")
        # The head goes out with the first part of the body: one system call less.
        head, self._unsent_head, self.begun = self._unsent_head, b"", True
        if self._without_body:
            self._write(head)
        elif self._chunked:
            self._write(head, *chunk(body, more))
        else:
            self._write(head, body)
        if not more:
            self.complete = True
            self._on_gone = None
            self._wake()
            self._connection.answered(self)

    def _write(self, *parts: bytes) -> None:
        size = sum(map(len, parts))
        if size > _ONE_WRITE_BYTES:
            self._connection.transport.writelines(parts)
        elif size:
            self._connection.transport.write(b"".join(parts))
