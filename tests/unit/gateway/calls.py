"""Requests as the gateway's parts see them."""

from modelium.gateway.edge.call import Call, Headers
from modelium.gateway.edge.paths import RULES


def a_call(
    model: str = "qwen",
    body: bytes = b"{}",
    headers: Headers | None = None,
    *,
    stream: bool = False,
    path: str = "/v1/chat/completions",
) -> Call:
    """A chat request, or one for another path."""
    rule = RULES.get(path.partition("?")[0], RULES["/v1/chat/completions"])
    return Call(path, headers or [], body, model, stream, rule)
