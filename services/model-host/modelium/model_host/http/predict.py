"""`POST /predict`: whatever the model is for, in the simplest form.

Tensors as in the Open Inference Protocol, or by name; texts in `input`; images as base64 in
`image`, as files of a form, or as the body itself.
"""

from typing import Any, Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from modelium.model_host.errors import InvalidInput, UnsupportedMedia
from modelium.model_host.http.bodies import read_object, texts_in
from modelium.model_host.http.oip import answer
from modelium.model_host.http.probes import as_json
from modelium.model_host.http.reading import read_body, while_connected
from modelium.model_host.http.texts import run_texts
from modelium.model_host.models.model import Model
from modelium.model_host.protocol.messages import InferRequest, request_of
from modelium.model_host.protocol.tensors import Tensors, bytes_of
from modelium.model_host.protocol.values import from_json, whole_number
from modelium.model_host.serving import Serving

_MAX_FILES: Final = 64
_TOP_K: Final = 5
_SHOWN: Final = 40
"""Characters of a wrong value that its refusal repeats."""


async def predict(request: Request, serving: Serving) -> Response:
    """An answer of the model."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_vision = serving.options.task == "vision"
    if kind.startswith(("image/", "multipart/")) or kind == "application/octet-stream":
        if not is_vision:
            text = f"{serving.options.name!r} takes JSON; this request is {kind[:64]}"
            raise UnsupportedMedia(text)
        return await _look(request, serving, *await _sent(request, serving, kind))
    body = await read_body(request, serving)
    asked = await serving.aside(len(body), lambda: read_object(body))
    if "inputs" in asked:
        model = serving.model
        tensors = await serving.aside(len(body), lambda: _tensors(asked, model))
        return await answer(request, tensors, serving)
    if is_vision:
        images = [
            text.encode("utf-8", "replace") for text in texts_in(asked, "image", "images", "input")
        ]
        return await _look(request, serving, images, _top_k(asked.get("top_k")))
    if serving.options.task == "tensor":
        raise InvalidInput("tensors in 'inputs' are expected")
    found = await run_texts(request, texts_in(asked, "input", "text"), serving)
    if serving.options.task == "classify":
        top_k = _top_k(asked.get("top_k"))
        return await serving.aside(bytes_of(found), lambda: _labelled(serving, found, top_k))
    return await serving.aside(bytes_of(found), lambda: _vectors(serving, found))


async def _look(request: Request, serving: Serving, images: list[bytes], top_k: int) -> Response:
    found = await while_connected(request, serving.infer({"image": _rows(images)}))
    return await serving.aside(bytes_of(found), lambda: _labelled(serving, found, top_k))


async def _sent(request: Request, serving: Serving, kind: str) -> tuple[list[bytes], int]:
    """Images that are sent as they are: the files of a form, or the body."""
    if kind == "multipart/form-data":
        return await _files(request, serving)
    return [await read_body(request, serving)], _TOP_K


async def _files(request: Request, serving: Serving) -> tuple[list[bytes], int]:
    """The files of a form, whatever its fields are called."""
    body = await read_body(request, serving)
    held = Request(request.scope, _once(body))
    images: list[bytes] = []
    top_k = _TOP_K
    try:
        async with held.form(max_files=_MAX_FILES, max_fields=_MAX_FILES) as form:
            for name, value in form.multi_items():
                if not isinstance(value, str):
                    images.append(await value.read())
                elif name == "top_k":
                    top_k = _top_k(value if (number := whole_number(value)) is None else number)
    except HTTPException as error:
        raise InvalidInput(f"the form is broken: {error.detail}") from error
    if not images:
        raise InvalidInput("the form has no file; an image is expected")
    return images, top_k


def _once(body: bytes) -> Any:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _rows(values: list[bytes]) -> Any:
    rows = np.empty(len(values), object)
    rows[:] = values
    return rows


def _top_k(value: Any) -> int:
    if value is None:
        return _TOP_K
    if type(value) is not int or value < 1:
        raise InvalidInput(
            f"'top_k' is {repr(value)[:_SHOWN]}; a whole number of 1 or more is expected"
        )
    return value


def _tensors(asked: dict[str, Any], model: Model) -> InferRequest:
    """Tensors as the protocol has them, or as an object of arrays by name."""
    if not isinstance(asked["inputs"], dict):
        return request_of(asked)
    specs = {spec.name: spec for spec in model.signature.inputs}
    arrays, datatypes = {}, {}
    for name, data in asked["inputs"].items():
        datatypes[name] = specs[name].datatype if name in specs else ""
        arrays[name] = _by_name(name, datatypes[name] or "FP32", data)
        datatypes[name] = datatypes[name] or "FP32"
    return InferRequest(arrays, datatypes)


def _by_name(name: str, datatype: str, data: Any) -> Any:
    rows = data if isinstance(data, list) else [data]
    shape: list[int] = []
    level: Any = rows
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    return from_json(name, datatype, tuple(shape), rows)


def _vectors(serving: Serving, found: Tensors) -> Response:
    vectors = found["embedding"].tolist()
    return as_json({"model": serving.options.name, "predictions": vectors})


def _labelled(serving: Serving, found: Tensors, top_k: int) -> Response:
    labels: list[str] = getattr(serving.model, "labels", [])
    predictions = []
    for probabilities in found["probabilities"]:
        order = np.argsort(-probabilities, kind="stable")[:top_k]
        ranked = [{"label": labels[at], "score": float(probabilities[at])} for at in order]
        predictions.append({**ranked[0], "labels": ranked})
    return as_json({"model": serving.options.name, "predictions": predictions})
