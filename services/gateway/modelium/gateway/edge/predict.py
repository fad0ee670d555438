"""Translates `POST /predict/{model}` into the engine route that fits.

Pure. `messages` is a chat, `prompt` a completion, `input` whatever the model is for; every other
member goes on to the engine as it is.
"""

import json
from typing import Any, Final

from modelium.common.records import Descriptor, Task
from modelium.gateway.edge import errors_http as errors

_CHAT: Final = "/v1/chat/completions"
_COMPLETION: Final = "/v1/completions"
_ROUTES: Final = {Task.EMBEDDING: "/v1/embeddings", Task.CLASSIFY: "/classify"}


def translate(
    model: str, request: dict[str, Any], descriptor: Descriptor | None
) -> tuple[str, bytes]:
    """The path and the body for the engine.

    Raises:
        ApiError: 400, there is nothing to predict from.
    """
    options = {k: v for k, v in request.items() if k not in ("messages", "prompt", "input")}
    path, content = _path_and_content(request, descriptor)
    return path, json.dumps({**options, "model": model, **content}).encode()


def _path_and_content(
    request: dict[str, Any], descriptor: Descriptor | None
) -> tuple[str, dict[str, Any]]:
    given = request.get("input", request.get("prompt"))
    route = _ROUTES.get(descriptor.task) if descriptor else None
    if route is not None and given is not None:
        return route, {"input": given}
    if "messages" in request:
        return _CHAT, {"messages": request["messages"]}
    if "prompt" in request:
        return _COMPLETION, {"prompt": request["prompt"]}
    if given is None:
        text = "Give one of 'prompt', 'messages' or 'input'."
        raise errors.invalid_request(text, param="prompt")
    if descriptor and descriptor.has_chat_template and isinstance(given, str):
        return _CHAT, {"messages": [{"role": "user", "content": given}]}
    return _COMPLETION, {"prompt": given}
