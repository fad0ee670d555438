"""Bodies and headers of errors, as the clients of each route read them."""

import json

import pytest

from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.edge.paths import Dialect


def test_every_error_is_an_openai_object() -> None:
    body = errors.model_not_found("x" * 1000).body()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert len(body["error"]["message"]) < 300


def test_retry_after_is_a_whole_number_within_what_clients_obey() -> None:
    for seconds, shown in ((0.01, b"1"), (7.4, b"7"), (4000, b"120")):
        error = errors.unavailable("x", retry_after_s=seconds)
        assert (b"retry-after", shown) in error.headers()


def test_a_client_is_told_not_to_retry_what_cannot_be_helped() -> None:
    hopeless = errors.model_unavailable("m", "oom", retry_after_s=5, should_retry=False)
    assert (b"x-should-retry", b"false") in hopeless.headers()
    unplaceable = errors.model_unplaceable("m", "it fits no device")
    assert (b"x-should-retry", b"false") in unplaceable.headers()
    # Every 503 says when; a client that tries again all the same does so as late as it obeys.
    assert (b"retry-after", b"120") in unplaceable.headers()


def test_loading_is_structured() -> None:
    loading = errors.Loading("loading", 2, 14, "reading weights")
    body = errors.model_loading("m", loading).body()
    assert body["loading"] == {
        "state": "loading",
        "position": 2,
        "eta_s": 14,
        "reason": "reading weights",
    }


@pytest.mark.parametrize(
    ("eta_s", "longer_wait_s", "says"),
    [
        (14, None, " Ask again in 14 s."),
        (14, 300, " Ask again in 14 s, or send `Prefer: wait=300` to wait longer."),
        (4000, None, " Ask again in 120 s."),  # as `Retry-After` says
        (None, 300, ""),
    ],
)
def test_who_waited_in_vain_is_told_what_else_to_do(
    eta_s: int | None, longer_wait_s: int | None, says: str
) -> None:
    loading = errors.Loading("loading", 2, eta_s, "reading weights")
    error = errors.model_loading("m", loading, longer_wait_s=longer_wait_s)
    begins = "The model 'm' is still loading; it will be loaded all the same."
    assert error.message == f"{begins}{says} reading weights"


def test_an_open_inference_error_is_a_text() -> None:
    error = errors.model_not_found("m")
    assert json.loads(error.encoded(Dialect.OIP)) == {"error": error.message}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.invalid_request("x"), "invalid_request_error"),
        (errors.invalid_api_key("x"), "authentication_error"),
        (errors.insufficient_scope("x"), "permission_error"),
        (errors.model_not_found("m"), "not_found_error"),
        (errors.body_too_large(1), "request_too_large"),
        (errors.queue_bytes_full("qwen", 1, 1), "rate_limit_error"),
        (errors.backend_error("x"), "api_error"),
        (errors.unavailable("x"), "overloaded_error"),
    ],
)
def test_an_anthropic_error_has_its_own_kind(error: ApiError, kind: str) -> None:
    body = json.loads(error.encoded(Dialect.ANTHROPIC))
    assert body == {"type": "error", "error": {"type": kind, "message": error.message}}


def test_loading_stays_structured_in_every_dialect() -> None:
    error = errors.model_loading("m", errors.Loading("loading", 1, 3, ""))
    assert all(error.body(dialect)["loading"]["eta_s"] == 3 for dialect in Dialect)


def test_the_last_event_of_a_broken_stream() -> None:
    error = errors.backend_error("gone")
    plain = error.event(Dialect.OPENAI)
    assert plain == b"data: " + error.encoded() + b"\n\n"
    for dialect in (Dialect.ANTHROPIC, Dialect.RESPONSES):
        name, data = error.event(dialect).removesuffix(b"\n\n").split(b"\n")
        assert name == b"event: error"
        value = json.loads(data.removeprefix(b"data: "))
        assert value["type"] == "error"
        assert value["error"]["message"] == "gone"


def test_headers_that_say_what_else_to_do() -> None:
    assert (b"www-authenticate", b"Bearer") in errors.invalid_api_key("x").headers()
    assert (b"allow", b"POST") in errors.method_not_allowed("GET", "/x", allow="POST").headers()


def test_a_model_that_does_something_else_says_what_it_does() -> None:
    error = errors.unsupported_path("m", "chat", "/v1/audio/speech", ["/v1/completions", "/x"])
    assert error.message == (
        "The model 'm' is a model for chat and does not answer /v1/audio/speech. "
        "It answers /v1/completions, /x."
    )
