"""JSON objects of requests that are no Open Inference Protocol."""

import json
from typing import Any

from modelium.model_host.errors import InvalidInput


def read_object(body: bytes) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        InvalidInput: 400, it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"the body is a JSON {type(value).__name__}, an object is expected")
    return value


def texts_in(request: dict[str, Any], *members: str) -> list[str]:
    """The texts in the first of these members that there is: one, or an array of them.

    Raises:
        InvalidInput: 400, there is none, or something else.
    """
    for member in members:
        if member in request:
            value = request[member]
            found = [value] if isinstance(value, str) else value
            if not isinstance(found, list) or not found:
                raise InvalidInput(f"{member!r} is a text, or an array of texts that is not empty")
            if not all(isinstance(text, str) for text in found):
                raise InvalidInput(f"{member!r} has something that is no text; texts are expected")
            return found
    names = " or ".join(map(repr, members))
    has = ", ".join(repr(name[:32]) for name in list(request)[:8]) or "nothing"
    raise InvalidInput(f"{names} is expected; this request has {has}")
