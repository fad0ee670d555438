"""What clients are told when they get no answer: every error that the gateway itself makes.

Statuses, codes and texts are chosen here; `api_error.py` gives them the form of the route.
"""

from collections.abc import Sequence

from modelium.gateway.edge.api_error import MAX_RETRY_AFTER_S, ApiError, Loading

__all__ = ["MAX_RETRY_AFTER_S", "ApiError", "Loading"]


def invalid_request(message: str, *, param: str | None = None) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, "invalid_request", "invalid_request_error", message, param=param)


def body_too_large(limit_bytes: int) -> ApiError:
    """413."""
    text = (
        f"The request body is larger than {limit_bytes} bytes, which is the most that "
        "gateway.max_body_bytes and this route allow."
    )
    return ApiError(413, "request_too_large", "invalid_request_error", text)


def not_found(what: str) -> ApiError:
    """404 for a path."""
    return ApiError(404, "not_found", "invalid_request_error", what)


def not_explained(what: str) -> ApiError:
    """404 for what is neither known nor kept."""
    text = (
        f"Nothing is kept of {what[:128]!r}: it is no model, no decision of the last 7 days, and "
        "no request of the last day that waited for a load."
    )
    return not_found(text)


def method_not_allowed(method: str, path: str, *, allow: str) -> ApiError:
    """405; `allow`: the methods that the route answers."""
    text = f"{path[:256]} does not answer {method[:32]}, only {allow}."
    allowed = (b"allow", allow.encode())
    return ApiError(
        405, "method_not_allowed", "invalid_request_error", text, more_headers=(allowed,)
    )


def unsupported_encoding(encoding: str) -> ApiError:
    """415: the model cannot be found in a compressed body."""
    text = (
        f"The body has content-encoding {encoding[:64]!r}, in which the model cannot be found; "
        "send it without."
    )
    return ApiError(415, "unsupported_media_type", "invalid_request_error", text)


def invalid_api_key(message: str) -> ApiError:
    """401."""
    asks = (b"www-authenticate", b"Bearer")
    return ApiError(401, "invalid_api_key", "authentication_error", message, more_headers=(asks,))


def insufficient_scope(message: str) -> ApiError:
    """403: the key is good, but not for this."""
    return ApiError(403, "insufficient_scope", "permission_error", message)


def foreign_host(host: str) -> ApiError:
    """403: no key is needed, and the request is for a name that a stranger may own."""
    text = (
        f"This gateway asks for no key, so it is not served as {host[:256]!r}: name it in "
        "gateway.allowed_hosts, or ask for keys (gateway.authentication)."
    )
    return ApiError(403, "foreign_host", "permission_error", text)


def foreign_origin(origin: str, host: str) -> ApiError:
    """403: no key is needed, and a page of another site sent the request."""
    text = (
        f"This gateway asks for no key, so pages of {origin[:256]!r} may not use it as "
        f"{host[:256]!r}; name it in gateway.allowed_origins to let them."
    )
    return ApiError(403, "foreign_origin", "permission_error", text)


def model_not_found(model: str, meant: str | None = None) -> ApiError:
    """404 for a model; `meant`: another that the caller may use and may have meant."""
    guess = f" did you mean {meant!r}?" if meant is not None else ""
    text = f"The model {model[:128]!r} does not exist;{guess} GET /v1/models lists those that do."
    return ApiError(404, "model_not_found", "invalid_request_error", text, param="model")


def model_rejected(model: str, reason: str) -> ApiError:
    """400: the model's files cannot be served."""
    text = f"The model {model!r} cannot be served: {reason}"
    return ApiError(400, "model_rejected", "invalid_request_error", text, param="model")


def model_not_analyzed(model: str, state: str) -> ApiError:
    """503: into what a prediction is to be translated is known in a moment."""
    return unavailable(f"The model {model!r} is {state}: what it predicts from is not known yet.")


def unsupported_path(model: str, task: str, path: str, routes: Sequence[str] = ()) -> ApiError:
    """400: the model does something else, on these `routes`."""
    text = f"The model {model!r} is a model for {task} and does not answer {path}."
    if routes:
        text += f" It answers {', '.join(routes)}."
    return ApiError(400, "unsupported_by_model", "invalid_request_error", text, param="model")


def model_pinned(model: str, by: str) -> ApiError:
    """409: the model is always loaded, because of what `by` names."""
    text = f"The model {model!r} is always loaded: it is pinned by {by}."
    return _conflict("model_pinned", text)


def model_cannot_sleep(model: str, why: str) -> ApiError:
    """409: the model's engine cannot be put to sleep."""
    return _conflict("model_cannot_sleep", f"The model {model!r} cannot be put to sleep: {why}.")


def model_not_failed(model: str, state: str) -> ApiError:
    """409: there is nothing to try again."""
    text = f"The model {model!r} is {state} and has not failed: there is nothing to try again."
    return _conflict("model_not_failed", text)


def _conflict(code: str, text: str) -> ApiError:
    return ApiError(409, code, "invalid_request_error", text, param="model")


def rate_limited(message: str, *, retry_after_s: float, param: str | None = None) -> ApiError:
    """429."""
    return ApiError(
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
        message,
        param=param,
        retry_after_s=retry_after_s,
    )


def queue_full(model: str, waiting: int, retry_after_s: float) -> ApiError:
    """429: as many as may wait for this model do."""
    text = f"{waiting} requests already wait for the model {model!r}."
    return rate_limited(text, retry_after_s=retry_after_s, param="model")


def queue_bytes_full(model: str, max_bytes: int, retry_after_s: float) -> ApiError:
    """429: the bodies of all that wait take as much memory as they may."""
    text = (
        f"The requests that wait hold {max_bytes} bytes (gateway.max_queue_bytes) already, and "
        f"the model {model!r} cannot take this one at once."
    )
    return rate_limited(text, retry_after_s=retry_after_s, param="model")


def bodies_full(limit_bytes: int, retry_after_s: float) -> ApiError:
    """429: the bodies of all requests inside take as much memory as they may."""
    text = (
        f"The bodies of this organisation's requests would take more than what is left of "
        f"{limit_bytes} bytes for all of them (gateway.max_held_bytes)."
    )
    return rate_limited(text, retry_after_s=retry_after_s)


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


def model_loading(model: str, loading: Loading, *, longer_wait_s: int | None = None) -> ApiError:
    """503: it did not load in time; the load goes on.

    `longer_wait_s`: for which the same request may ask instead; None: for none.
    """
    text = f"The model {model!r} is still {loading.state}; it will be loaded all the same."
    if loading.eta_s is not None:
        text += f" Ask again in {min(MAX_RETRY_AFTER_S, max(1, loading.eta_s))} s"
        if longer_wait_s is not None:
            text += f", or send `Prefer: wait={longer_wait_s}` to wait longer"
        text += "."
    text = f"{text} {loading.reason}"
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
    """503: it fits no device there is, so waiting cannot help; a new device might, some day."""
    text = f"The model {model!r} cannot be loaded here: {reason}."
    return ApiError(
        503,
        "capacity_exceeded",
        "service_unavailable",
        text,
        param="model",
        retry_after_s=MAX_RETRY_AFTER_S,
        should_retry=False,
    )


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


def stopping() -> ApiError:
    """503: this gateway stops; another one, or itself once it runs again, will serve."""
    return unavailable("The gateway is stopping.")


def cancelled() -> ApiError:
    """503: an operator has ended the request; the same one again may be ended again."""
    text = "An operator has cancelled this request."
    return ApiError(503, "request_cancelled", "service_unavailable", text, should_retry=False)


def backend_error(message: str) -> ApiError:
    """502: the engine did not answer to the end."""
    return ApiError(502, "backend_error", "server_error", message)
