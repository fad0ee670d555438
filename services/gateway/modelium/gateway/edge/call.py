"""Reads a client's request: its bounded body, and from it only what the gateway must know.

The body goes on to the engine byte for byte. Nothing here knows models or engines.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any, Final, NamedTuple

from modelium.common.records import MODEL_NAME_PATTERN
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.members import read_form, read_json
from modelium.gateway.edge.paths import ModelIn, Rule, model_of
from modelium.gateway.edge.preferences import (
    CLIENT_DEADLINES,
    NO_PREFERENCES,
    OWN_DEADLINE,
    PREFER,
    Preferences,
    read_preferences,
)

Headers = list[tuple[bytes, bytes]]
# ASGI's own types are such mappings.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

JSON: Final = b"application/json"
_MAX_ID_CHARS: Final = 128
_NAME: Final = re.compile(MODEL_NAME_PATTERN)
_TYPE: Final = b"content-type"
_ENCODING: Final = b"content-encoding"
_URLENCODED: Final = b"application/x-www-form-urlencoded"
_READ: Final = frozenset({_TYPE, _ENCODING, PREFER, OWN_DEADLINE, *CLIENT_DEADLINES})


class Call(NamedTuple):
    """One request for an engine.

    `path` is one that the rule knows, decoded however the client had encoded it, and the query.
    """

    path: str
    headers: Headers
    body: bytes
    model: str
    stream: bool
    rule: Rule
    include_usage: bool | None = None
    """Whether the client asks for usage in `stream_options`; None: it has sent none."""
    preferences: Preferences = NO_PREFERENCES
    hide_usage: bool = False
    """Whether the body asks for usage although the client did not."""


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


def parse_call(scope: Scope, body: bytes, rule: Rule) -> Call:
    """What the gateway must know of a request of this rule.

    Raises:
        ApiError: 400 or 415.
    """
    headers: Headers = scope["headers"]
    read = [header for header in headers if header[0] in _READ]
    if rule.model_in is ModelIn.PATH:
        return _call_by_path(scope, body, rule, read)
    content_type = content_type_of(read)
    if rule.model_in is ModelIn.MULTIPART:
        members = read_form(content_type, body)
    else:
        members = read_json(body)
        if _says_nothing(content_type):
            headers = with_type(headers, JSON)
    stream = rule.streams and members.stream is True
    options = members.stream_options
    return Call(
        path=rule.path + query_of(scope),
        headers=headers,
        body=body,
        model=members.model,
        stream=stream,
        rule=rule,
        include_usage=bool(options.include_usage) if options else None,
        preferences=read_preferences(read, members.keep_alive, stream=stream),
    )


def _call_by_path(scope: Scope, body: bytes, rule: Rule, read: Headers) -> Call:
    path = scope["path"]
    model = model_of(path)
    if _NAME.fullmatch(model) is None:
        # Nothing else may get into the path that an engine is asked for.
        raise errors.model_not_found(model)
    return Call(
        path=path + query_of(scope),
        headers=scope["headers"],
        body=body,
        model=model,
        stream=False,
        rule=rule,
        preferences=read_preferences(read, None, stream=False),
    )


def named(call: Call, model: str) -> Call:
    """The call by the model's own name, where the client has given a further one.

    The body stays as it is: engines know all names of their model.
    """
    path = call.path
    if call.rule.model_in is ModelIn.PATH:
        path = path.replace(f"/{call.model}/", f"/{model}/", 1)
    return call._replace(model=model, path=path)


def content_type_of(headers: Headers) -> bytes:
    """The body's type; ApiError 415 if it is compressed."""
    content_type = b""
    for name, value in headers:
        if name == _TYPE:
            content_type = value
        elif name == _ENCODING and value.lower() not in (b"", b"identity"):
            raise errors.unsupported_encoding(str(value, "latin-1"))
    return content_type


def _says_nothing(content_type: bytes) -> bool:
    """What `curl -d` sends; the body is JSON, but who reads it looks at JSON only if told so."""
    return not content_type or content_type.startswith(_URLENCODED)


def json_headers(headers: Headers) -> Headers:
    """These headers of a route that takes JSON only; ApiError 415 if the body is compressed."""
    return with_type(headers, JSON) if _says_nothing(content_type_of(headers)) else headers


def with_type(headers: Headers, content_type: bytes) -> Headers:
    """These headers for a body of this type."""
    return [*(h for h in headers if h[0] != _TYPE), (_TYPE, content_type)]


def query_of(scope: Scope) -> str:
    """The query as the client sent it, with its question mark; empty if there is none."""
    query: bytes = scope["query_string"]
    return "?" + str(query, "ascii", "replace") if query else ""
