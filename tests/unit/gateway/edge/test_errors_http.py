"""Bodies and headers of errors, as clients of OpenAI read them."""

from modelium.gateway.edge import errors_http as errors


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


def test_loading_is_structured() -> None:
    loading = errors.Loading("loading", 2, 14, "reading weights")
    body = errors.model_loading("m", loading).body()
    assert body["loading"] == {
        "state": "loading",
        "position": 2,
        "eta_s": 14,
        "reason": "reading weights",
    }
