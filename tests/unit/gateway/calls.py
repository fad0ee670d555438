"""Requests as the gateway's parts see them."""

from modelium.gateway.edge.call import Call, Headers


def a_call(
    model: str = "qwen",
    body: bytes = b"{}",
    headers: Headers | None = None,
    *,
    stream: bool = False,
) -> Call:
    """A chat request."""
    return Call("/v1/chat/completions", headers or [], body, model, stream)
