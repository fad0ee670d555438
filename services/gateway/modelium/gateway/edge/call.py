"""Reads a client's request: its bounded body, and from it only which model and whether to stream.

The body goes on to the engine byte for byte. Nothing here knows models or engines.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from pydantic_core import from_json

from modelium.common.errors import ModeliumError
from modelium.gateway.edge import errors_http as errors

Headers = list[tuple[bytes, bytes]]
# ASGI's own types are such mappings.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_MAX_ID_CHARS: Final = 128


class ClientGone(ModeliumError):
    """Nobody reads the answer any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for an engine.

    `path` is one of `paths.RULES`, decoded however the client had encoded it, and the query.
    """

    path: str
    headers: Headers
    body: bytes
    model: str
    stream: bool


class RequestIds:
    """Names requests: by the client's own `x-request-id`, or by one of ours."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def of(self, scope: Scope) -> str:
        """The id of this request."""
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _is_plain(value):
                return str(value, "ascii")
        return f"{self._prefix}-{next(self._numbers):x}"


def _is_plain(value: bytes) -> bool:
    return 0 < len(value) <= _MAX_ID_CHARS and value.isascii() and str(value, "ascii").isprintable()


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413.
        ClientGone: it stopped sending.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > max_bytes:
            raise errors.body_too_large(max_bytes)
    event = await receive()
    if event["type"] == "http.request" and not event.get("more_body"):
        body: bytes = event.get("body", b"")
        if len(body) > max_bytes:
            raise errors.body_too_large(max_bytes)
        return body
    return await _read_parts(event, receive, max_bytes)


async def _read_parts(event: Event, receive: Receive, max_bytes: int) -> bytes:
    parts = bytearray()
    while event["type"] == "http.request":
        parts += event.get("body", b"")
        if len(parts) > max_bytes:
            raise errors.body_too_large(max_bytes)
        if not event.get("more_body"):
            return bytes(parts)
        event = await receive()
    raise ClientGone("it stopped sending its body")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        ApiError: 400 that says what was wrong.
    """
    try:
        value = from_json(body)
    except ValueError as error:
        raise errors.invalid_request(f"The body is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise errors.invalid_request("The body must be a JSON object.")
    return value


def parse_call(scope: Scope, body: bytes) -> Call:
    """What the gateway must know of a request whose body names its model.

    Raises:
        ApiError: 400.
    """
    value = parse_object(body)
    model = value.get("model")
    if not isinstance(model, str) or not model:
        text = "The body must name the model: a string in the member 'model'."
        raise errors.invalid_request(text, param="model")
    path = scope["path"] + query_of(scope)
    return Call(path, scope["headers"], body, model, value.get("stream") is True)


def query_of(scope: Scope) -> str:
    """The query as the client sent it, with its question mark; empty if there is none."""
    query: bytes = scope["query_string"]
    return "?" + str(query, "ascii", "replace") if query else ""


async def until_gone(receive: Receive) -> None:
    """Wait until the client has gone away, and raise `ClientGone`."""
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone("it closed the connection")
