"""What clients are told when they get no answer: OpenAI error objects, their statuses and headers.

Every error the gateway itself answers with is made by a function of this file.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from modelium.common.errors import ModeliumError

MAX_RETRY_AFTER_S: Final = 120
"""Official clients do not obey a longer one."""


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

    def body(self) -> dict[str, Any]:
        """The object that says it, for a body or an event of a stream."""
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        if self.loading is None:
            return {"error": error}
        return {"error": error, "loading": asdict(self.loading)}

    def encoded(self) -> bytes:
        """`body()` as one line of JSON."""
        return json.dumps(self.body()).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Those that tell a client whether and when to try again."""
        headers = []
        if self.retry_after_s is not None:
            seconds = min(MAX_RETRY_AFTER_S, max(1, round(self.retry_after_s)))
            headers.append((b"retry-after", str(seconds).encode()))
        if self.should_retry is not None:
            headers.append((b"x-should-retry", str(self.should_retry).lower().encode()))
        return headers


def invalid_request(message: str, *, param: str | None = None) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, "invalid_request", "invalid_request_error", message, param=param)


def body_too_large(limit_bytes: int) -> ApiError:
    """413."""
    text = f"The request body is larger than {limit_bytes} bytes (gateway.max_body_bytes)."
    return ApiError(413, "request_too_large", "invalid_request_error", text)


def not_found(what: str) -> ApiError:
    """404 for a path."""
    return ApiError(404, "not_found", "invalid_request_error", what)


def method_not_allowed(method: str, path: str) -> ApiError:
    """405."""
    text = f"{path} does not answer {method}."
    return ApiError(405, "method_not_allowed", "invalid_request_error", text)


def model_not_found(model: str) -> ApiError:
    """404 for a model."""
    text = f"The model {model[:128]!r} does not exist; GET /v1/models lists those that do."
    return ApiError(404, "model_not_found", "invalid_request_error", text, param="model")


def model_rejected(model: str, reason: str) -> ApiError:
    """400: the model's files cannot be served."""
    text = f"The model {model!r} cannot be served: {reason}"
    return ApiError(400, "model_rejected", "invalid_request_error", text, param="model")


def unsupported_path(model: str, task: str, path: str) -> ApiError:
    """400: the model does something else."""
    text = f"The model {model!r} is a model for {task} and does not answer {path}."
    return ApiError(400, "unsupported_by_model", "invalid_request_error", text, param="model")


def model_pinned(model: str) -> ApiError:
    """409: the settings forbid to unload it."""
    text = (
        f"The model {model!r} is always loaded: it is pinned by "
        "orchestration.policies.always_loaded."
    )
    return ApiError(409, "model_pinned", "invalid_request_error", text, param="model")


def queue_full(model: str, waiting: int, retry_after_s: float) -> ApiError:
    """429: as many as may wait for this model do."""
    text = f"{waiting} requests already wait for the model {model!r}."
    return ApiError(
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
        text,
        param="model",
        retry_after_s=retry_after_s,
    )


def queue_bytes_full(model: str, max_bytes: int, retry_after_s: float) -> ApiError:
    """429: the bodies of all that wait take as much memory as they may."""
    text = (
        f"The requests that wait hold {max_bytes} bytes (gateway.max_queue_bytes) already, and "
        f"the model {model!r} cannot take this one at once."
    )
    return ApiError(
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
        text,
        param="model",
        retry_after_s=retry_after_s,
    )


def model_busy(model: str, waiting: int, retry_after_s: float) -> ApiError:
    """503: it is loaded, and others kept it busy until this one's time was up."""
    text = f"The model {model!r} is busy: {waiting} requests wait for it."
    return ApiError(
        503,
        "model_busy",
        "service_unavailable",
        text,
        param="model",
        retry_after_s=retry_after_s,
        should_retry=True,
    )


def model_loading(model: str, loading: Loading) -> ApiError:
    """503: it did not load in time; the load goes on."""
    text = f"The model {model!r} is still {loading.state}; it goes on loading. {loading.reason}"
    return ApiError(
        503,
        "model_loading",
        "service_unavailable",
        text.strip(),
        param="model",
        retry_after_s=loading.eta_s,
        should_retry=True,
        loading=loading,
    )


def model_unavailable(
    model: str, reason: str, *, retry_after_s: float, should_retry: bool
) -> ApiError:
    """503: its last load failed, and it is not tried again before `retry_after_s`."""
    text = f"The model {model!r} failed: {reason or 'no reason is known'}"
    return ApiError(
        503,
        "model_unavailable",
        "service_unavailable",
        text,
        param="model",
        retry_after_s=retry_after_s,
        should_retry=should_retry,
    )


def model_unplaceable(model: str, reason: str) -> ApiError:
    """503: it fits no device there is, so waiting cannot help."""
    text = f"The model {model!r} cannot be loaded here: {reason}."
    kind = "service_unavailable"
    return ApiError(503, "model_unavailable", kind, text, param="model", should_retry=False)


def unavailable(message: str, *, retry_after_s: float = 1) -> ApiError:
    """503: this gateway starts or stops, or something it needs is away."""
    return ApiError(
        503,
        "service_unavailable",
        "service_unavailable",
        message,
        retry_after_s=retry_after_s,
        should_retry=True,
    )


def backend_error(message: str) -> ApiError:
    """502: the engine did not answer to the end."""
    return ApiError(502, "backend_error", "server_error", message)
