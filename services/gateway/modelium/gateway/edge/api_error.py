"""An answer that is not the engine's, in the form that the route's clients read.

The constructors are in `errors_http.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from modelium.common.errors import ModeliumError
from modelium.gateway.edge.paths import Dialect

MAX_RETRY_AFTER_S: Final = 120
"""Official clients do not obey a longer one."""

_ANTHROPIC_KINDS: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Loading:
    """How far a model is from serving; goes into error bodies."""

    state: str
    position: int
    eta_s: int | None
    reason: str


class ApiError(ModeliumError):
    """An answer that is not the engine's."""

    def __init__(
        self,
        status: int,
        code: str,
        kind: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
        loading: Loading | None = None,
        more_headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.kind = kind
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.should_retry = should_retry
        self.loading = loading
        self.more_headers = more_headers

    def body(self, dialect: Dialect = Dialect.OPENAI) -> dict[str, Any]:
        """The object that says it, for a body or an event of a stream."""
        said = self._said(dialect)
        return said if self.loading is None else {**said, "loading": asdict(self.loading)}

    def _said(self, dialect: Dialect) -> dict[str, Any]:
        if dialect is Dialect.OIP:
            return {"error": self.message}
        if dialect is Dialect.ANTHROPIC:
            usual = "invalid_request_error" if self.status < 500 else "api_error"
            kind = _ANTHROPIC_KINDS.get(self.status, usual)
            return {"type": "error", "error": {"type": kind, "message": self.message}}
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def encoded(self, dialect: Dialect = Dialect.OPENAI) -> bytes:
        """`body()` as one line of JSON."""
        return json.dumps(self.body(dialect)).encode()

    def event(self, dialect: Dialect = Dialect.OPENAI) -> bytes:
        """The last event of a stream that has begun and cannot go on."""
        value = self.body(dialect)
        if dialect is Dialect.RESPONSES:
            # Its own form is flat; the official clients look for `error`.
            flat = {"code": self.code, "message": self.message, "param": self.param}
            value = {"type": "error", **flat, **value}
        return as_error_event(json.dumps(value).encode(), dialect)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Those that tell a client whether and when to try again, and what else to do."""
        headers = list(self.more_headers)
        if self.retry_after_s is not None:
            seconds = min(MAX_RETRY_AFTER_S, max(1, round(self.retry_after_s)))
            headers.append((b"retry-after", str(seconds).encode()))
        if self.should_retry is not None:
            headers.append((b"x-should-retry", str(self.should_retry).lower().encode()))
        return headers


def as_error_event(error: bytes, dialect: Dialect) -> bytes:
    """An error object, one line of JSON, as an event of a stream."""
    named = dialect in (Dialect.ANTHROPIC, Dialect.RESPONSES)
    return (b"event: error\ndata: " if named else b"data: ") + error + b"\n\n"
