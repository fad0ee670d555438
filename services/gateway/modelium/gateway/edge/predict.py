"""Translates `POST /predict/{model}` into the engine route that fits.

Pure. `messages` is a chat, `prompt` a completion, `query` a ranking, `inputs` tensors, `input`
whatever the model is for; every other member goes on to the engine as it is.
"""

import json
from collections.abc import Collection
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge import predict_hosted as hosted
from modelium.gateway.edge.call import JSON, Call, Scope, content_type_of, parse_call, with_type
from modelium.gateway.edge.members import read_raw
from modelium.gateway.edge.paths import HOST_PREDICT, INFER, find_rule

PREFIX: Final = "/predict/"

_NULL: Final = b"null"
_CHAT: Final = "/v1/chat/completions"
_COMPLETION: Final = "/v1/completions"
_OF_INPUT: Final = {
    Task.EMBEDDING: ("/v1/embeddings", "input"),
    Task.CLASSIFY: ("/classify", "input"),
    Task.TOKEN_CLASSIFY: ("/pooling", "input"),
    Task.SPEECH: ("/v1/audio/speech", "input"),
    Task.IMAGE: ("/v1/images/generations", "prompt"),
}
"""Tasks with one kind of input, whatever the request calls it, and what the engine calls it."""
_GENERATES: Final = (Task.CHAT, Task.COMPLETION, Task.UNKNOWN)
_RANKS: Final = (Task.RERANK, Task.EMBEDDING, Task.UNKNOWN)
_TAKES: Final = {
    Task.CHAT: "'messages', 'prompt' or 'input'",
    Task.COMPLETION: "'prompt' or 'input'",
    Task.EMBEDDING: "'input', or 'query' with 'documents'",
    Task.RERANK: "'query' with 'documents'",
    Task.CLASSIFY: "'input'",
    Task.TOKEN_CLASSIFY: "'input'",
    Task.SPEECH: "'input'",
    Task.IMAGE: "'prompt'",
}
_ANY: Final = "one of 'prompt', 'messages', 'input', 'query' with 'documents', 'inputs'"
_FORM: Final = "A transcription takes a form with a file: use /v1/audio/transcriptions."


def predicted_model(scope: Scope) -> str:
    """The model that the path of a request to `/predict/{model}` names."""
    path: str = scope["path"]
    return path.removeprefix(PREFIX)


def predict_call(scope: Scope, body: bytes, descriptor: Descriptor | None) -> Call:
    """The engine's call for a request to `/predict/{model}`.

    Raises:
        ApiError: 400 or 415.
    """
    content_type, model = content_type_of(scope["headers"]), predicted_model(scope)
    task = descriptor.task if descriptor and HOST_PREDICT.allows(descriptor) else None
    if task is Task.VISION:
        if hosted.is_image(content_type):
            return hosted.as_it_is(scope, body, model)
        if kind := hosted.sniffed_type(body):
            return hosted.as_it_is(scope, body, model, content_type=kind)
        hosted.require_object(body, model)
    request = read_raw(body)
    if task is not None and hosted.is_for_host(task, request):
        return hosted.as_it_is(scope, body, model, content_type=JSON)
    path, translated = translate(model, request, descriptor)
    rule = find_rule(path)
    assert rule is not None, "it translates into routes that there are"
    headers = with_type(scope["headers"], JSON)
    return parse_call({**scope, "path": path, "headers": headers}, translated, rule)


def translate(
    model: str, request: dict[str, bytes], descriptor: Descriptor | None
) -> tuple[str, bytes]:
    """The path and the body for the engine; `request` has the members as they are written.

    Raises:
        ApiError: 400, there is nothing that a model of this task predicts from.
    """
    if descriptor is not None and descriptor.runtime is RuntimeKind.RAY_SERVE:
        return _hosted(model, descriptor, request)
    found = _path_and_content(request, descriptor)
    if found is None:
        raise _nothing(model, descriptor, request)
    path, content = found
    return path, _with_input(model, request, content)


def _with_input(model: str, request: dict[str, bytes], content: dict[str, bytes]) -> bytes:
    """The engine's body: what the model predicts from, and every option that came with it."""
    options = {k: v for k, v in request.items() if k not in ("messages", "prompt", "input")}
    return _written({**options, "model": json.dumps(model).encode(), **content})


def _written(members: dict[str, bytes]) -> bytes:
    parts = (json.dumps(name).encode() + b": " + value for name, value in members.items())
    return b"{" + b", ".join(parts) + b"}"


def _nothing(
    model: str, descriptor: Descriptor | None, request: Collection[str], *, takes: str | None = None
) -> errors.ApiError:
    """400 that says what this model takes."""
    task = descriptor.task if descriptor else Task.UNKNOWN
    takes = takes or _TAKES.get(task, _ANY)
    known = f", a model for {task}," if task is not Task.UNKNOWN else ""
    given = ", ".join(repr(name[:32]) for name in list(request)[:8]) or "nothing"
    text = f"/predict for {model!r}{known} takes {takes}; this request has {given}."
    return errors.invalid_request(text)


def _hosted(model: str, descriptor: Descriptor, request: dict[str, bytes]) -> tuple[str, bytes]:
    task = descriptor.task
    if hosted.TENSORS in request:
        return INFER.path.replace("{model}", model), _written(request)
    given = request.get("input", request.get("prompt", _NULL))
    if task not in hosted.OF_TEXT or given == _NULL:
        takes = hosted.TAKES.get(task, hosted.TAKES_TENSORS)
        raise _nothing(model, descriptor, request, takes=takes)
    path, member = _OF_INPUT[task]
    return path, _with_input(model, request, {member: given})


def _path_and_content(
    request: dict[str, bytes], descriptor: Descriptor | None
) -> tuple[str, dict[str, bytes]] | None:
    """None: there is nothing for a model of this task."""
    task = descriptor.task if descriptor else Task.UNKNOWN
    given = request.get("input", request.get("prompt", _NULL))
    if task is Task.TRANSCRIPTION:
        raise errors.invalid_request(_FORM)
    if task in _OF_INPUT and given != _NULL:
        path, member = _OF_INPUT[task]
        return path, {member: given}
    if "query" in request and task in _RANKS:
        return "/v1/rerank", {}
    return _generating(request, given, descriptor) if task in _GENERATES else None


def _generating(
    request: dict[str, bytes], given: bytes, descriptor: Descriptor | None
) -> tuple[str, dict[str, bytes]] | None:
    if "messages" in request:
        return _CHAT, {"messages": request["messages"]}
    if "prompt" in request:
        return _COMPLETION, {"prompt": request["prompt"]}
    if given == _NULL:
        return None
    if descriptor and descriptor.has_chat_template and given.startswith(b'"'):
        return _CHAT, {"messages": b'[{"role": "user", "content": %b}]' % given}
    return _COMPLETION, {"prompt": given}
