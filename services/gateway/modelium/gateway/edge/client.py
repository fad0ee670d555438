"""The client's side of one answer: what was already sent decides how an error can be told.

Before the headers, an error is an HTTP status with a JSON body. In a stream it is an event
`data: {"error": …}`, and the stream ends without `[DONE]`. In any other answer that has begun, all
that is left is to break the connection, so that nobody takes a part for the whole.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from modelium.common.clock import Clock
from modelium.common.errors import ModeliumError
from modelium.gateway.edge.api_error import as_error_event
from modelium.gateway.edge.call import Headers, Send
from modelium.gateway.edge.errors_http import ApiError, Loading
from modelium.gateway.edge.paths import Dialect

_STREAM_HEADERS: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_ENGINE_STARTS: Final = Loading("loaded", 0, 0, "")


class Broken(ModeliumError):
    """The answer cannot be ended properly: the server must cut the connection."""


class Client:
    """Writes one answer. Set `progress` while the request waits for its model."""

    __slots__ = (
        "_clock",
        "_commenting",
        "_dialect",
        "_send",
        "first_byte_s",
        "in_event",
        "is_stream",
        "progress",
        "request_id",
        "started",
        "status",
    )

    def __init__(
        self, send: Send, request_id: str, clock: Clock, dialect: Dialect = Dialect.OPENAI
    ) -> None:
        self._send = send
        self._dialect = dialect
        self._clock = clock
        self.first_byte_s: float | None = None
        self.request_id = request_id
        self.started = False
        self.is_stream = False
        self.in_event = False
        """Whether the last event was not passed on to its end."""
        self.status = 0
        self.progress: Callable[[], Loading] | None = None
        self._commenting: asyncio.Event | None = None

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status and the headers."""
        self.started = True
        self.status = status
        name = (b"x-request-id", self.request_id.encode())
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, name]}
        )

    async def whole(self, status: int, headers: Headers, data: bytes) -> None:
        """Send an answer that is complete."""
        if self._commenting is not None:
            await self._commented()
        self.first_byte_s = self._clock.monotonic()
        await self.start(status, headers)
        await self._send({"type": "http.response.body", "body": data})

    async def json(self, status: int, headers: Headers, data: bytes) -> None:
        """Send an answer of ours."""
        await self.whole(status, [*_json_headers(data), *headers], data)

    async def start_stream(self, headers: Headers | None = None) -> None:
        """Send the headers of an event stream (the engine's, if it has answered), once."""
        if self._commenting is not None:
            await self._commented()
        if not self.started:
            self.is_stream = True
            await self.start(200, _STREAM_HEADERS if headers is None else headers)

    async def comment(self) -> None:
        """Show in a stream that has no content yet that it is alive; begins it if need be."""
        possible = self.first_byte_s is None and (self.is_stream or not self.started)
        if not possible or self._commenting is not None:
            return
        begins = not self.started
        self.started = self.is_stream = True
        self._commenting = asyncio.Event()
        try:
            if begins:
                await self.start(200, _STREAM_HEADERS)
            data = self._progress_line()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            self._commenting.set()
            self._commenting = None

    def _progress_line(self) -> bytes:
        now = self.progress() if self.progress else _ENGINE_STARTS
        eta = "unknown" if now.eta_s is None else now.eta_s
        return f": modelium state={now.state} position={now.position} eta_s={eta}\n\n".encode()

    async def has_begun(self) -> bool:
        """Whether a stream's headers are out, now that no comment is under way."""
        if self._commenting is not None:
            await self._commented()
        return self.started

    async def _commented(self) -> None:
        """Let a comment that waits for a slow reader go first; it comes from another task."""
        while self._commenting is not None:
            await self._commenting.wait()

    async def body(self, data: bytes) -> None:
        """Send bytes of the answer as they are."""
        if self._commenting is not None:
            await self._commented()
        if self.first_byte_s is None:
            self.first_byte_s = self._clock.monotonic()
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        """Send the last bytes, and end the answer properly."""
        if self._commenting is not None:
            await self._commented()
        if data and self.first_byte_s is None:
            self.first_byte_s = self._clock.monotonic()
        await self._send({"type": "http.response.body", "body": data})

    async def fail(self, error: ApiError) -> None:
        """Tell the error in the way that is left.

        Raises:
            Broken: no way is left.
        """
        if not self.started:
            await self.json(error.status, error.headers(), error.encoded(self._dialect))
        elif self.is_stream:
            await self.finish(self._event_end() + error.event(self._dialect))
        else:
            raise Broken(error.message)

    async def fail_raw(self, error_object: bytes) -> None:
        """End a stream with an error event: one line of JSON."""
        await self.finish(self._event_end() + as_error_event(error_object, self._dialect))

    def _event_end(self) -> bytes:
        return b"\n\n" if self.in_event else b""


def _json_headers(data: bytes) -> Headers:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
    ]
