"""Translates `POST /predict/{model}` into the engine route that fits.

Pure. `messages` is a chat, `prompt` a completion, `query` a ranking, `inputs` tensors, `input`
whatever the model is for; every other member goes on to the engine as it is.
"""

import json
from typing import Any, Final

from modelium.common.records import Descriptor, RuntimeKind, Task
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Call, Scope, content_type_of, parse_call, with_json_type
from modelium.gateway.edge.members import parse_object
from modelium.gateway.edge.paths import INFER, find_rule

PREFIX: Final = "/predict/"

_CHAT: Final = "/v1/chat/completions"
_COMPLETION: Final = "/v1/completions"
_OF_INPUT: Final = {
    Task.EMBEDDING: ("/v1/embeddings", "input"),
    Task.CLASSIFY: ("/classify", "input"),
    Task.SPEECH: ("/v1/audio/speech", "input"),
    Task.IMAGE: ("/v1/images/generations", "prompt"),
}
"""Tasks with one kind of input, whatever the request calls it, and what the engine calls it."""
_NO_CONTENT: Final = (
    "Give one of 'prompt', 'messages', 'input', 'query' with 'documents', 'inputs'."
)
_FORM: Final = "A transcription takes a form with a file: use /v1/audio/transcriptions."


def predict_call(scope: Scope, body: bytes, descriptor: Descriptor | None) -> Call:
    """The engine's call for a request to `/predict/{model}`.

    Raises:
        ApiError: 400 or 415.
    """
    content_type_of(scope["headers"])
    model = scope["path"].removeprefix(PREFIX)
    path, translated = translate(model, parse_object(body), descriptor)
    rule = find_rule(path)
    assert rule is not None, "it translates into routes that there are"
    headers = with_json_type(scope["headers"])
    return parse_call({**scope, "path": path, "headers": headers}, translated, rule)


def translate(
    model: str, request: dict[str, Any], descriptor: Descriptor | None
) -> tuple[str, bytes]:
    """The path and the body for the engine.

    Raises:
        ApiError: 400, there is nothing to predict from.
    """
    if descriptor is not None and descriptor.runtime is RuntimeKind.RAY_SERVE:
        return _tensors(model, request)
    options = {k: v for k, v in request.items() if k not in ("messages", "prompt", "input")}
    path, content = _path_and_content(request, descriptor)
    return path, json.dumps({**options, "model": model, **content}).encode()


def _tensors(model: str, request: dict[str, Any]) -> tuple[str, bytes]:
    if "inputs" not in request:
        raise errors.invalid_request("Give the tensors in 'inputs'.", param="inputs")
    return INFER.path.replace("{model}", model), json.dumps(request).encode()


def _path_and_content(
    request: dict[str, Any], descriptor: Descriptor | None
) -> tuple[str, dict[str, Any]]:
    task = descriptor.task if descriptor else Task.UNKNOWN
    given = request.get("input", request.get("prompt"))
    if task is Task.TRANSCRIPTION:
        raise errors.invalid_request(_FORM)
    if task in _OF_INPUT and given is not None:
        path, member = _OF_INPUT[task]
        return path, {member: given}
    if "query" in request and task in (Task.RERANK, Task.EMBEDDING, Task.UNKNOWN):
        return "/v1/rerank", {}
    if "messages" in request:
        return _CHAT, {"messages": request["messages"]}
    if "prompt" in request:
        return _COMPLETION, {"prompt": request["prompt"]}
    return _of_bare_input(given, descriptor)


def _of_bare_input(given: Any, descriptor: Descriptor | None) -> tuple[str, dict[str, Any]]:
    if given is None:
        raise errors.invalid_request(_NO_CONTENT, param="prompt")
    if descriptor and descriptor.has_chat_template and isinstance(given, str):
        return _CHAT, {"messages": [{"role": "user", "content": given}]}
    return _COMPLETION, {"prompt": given}
