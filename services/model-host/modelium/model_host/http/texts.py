"""The routes that vLLM has for models of texts: `/v1/embeddings` and `/classify`."""

import base64
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from modelium.model_host.errors import InvalidInput, NotFound
from modelium.model_host.http.bodies import read_object, texts_in
from modelium.model_host.http.probes import as_json
from modelium.model_host.http.reading import read_body, while_connected
from modelium.model_host.protocol.messages import require_model
from modelium.model_host.protocol.tensors import Array, Tensors, bytes_of
from modelium.model_host.serving import Serving


async def embeddings(request: Request, serving: Serving) -> Response:
    """A vector per text."""
    asked = await _asked(request, serving, "embedding")
    form = asked.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise InvalidInput(
            f"'encoding_format' is {repr(form)[:40]}; 'float' and 'base64' are known"
        )
    if asked.get("dimensions") not in (None, _width(serving)):
        raise InvalidInput(f"'dimensions' of this model are {_width(serving)}, and no others")
    found = await run_texts(request, texts_in(asked, "input"), serving)
    return await serving.aside(bytes_of(found), lambda: _vectors(serving, found, form))


def _vectors(serving: Serving, found: Tensors, form: str) -> Response:
    data = [
        {"object": "embedding", "index": at, "embedding": _written(vector, form)}
        for at, vector in enumerate(found["embedding"])
    ]
    name = serving.options.name
    return as_json({"object": "list", "model": name, "data": data, "usage": usage(found)})


async def classify(request: Request, serving: Serving) -> Response:
    """A label and all probabilities per text."""
    asked = await _asked(request, serving, "classify")
    found = await run_texts(request, texts_in(asked, "input"), serving)
    return await serving.aside(bytes_of(found), lambda: _classes(serving, found))


def _classes(serving: Serving, found: Tensors) -> Response:
    labels = [value.decode() for value in found["label"].tolist()]
    data = [
        {"index": at, "label": label, "probs": probs.tolist(), "num_classes": len(probs)}
        for at, (label, probs) in enumerate(zip(labels, found["probabilities"], strict=True))
    ]
    name = serving.options.name
    return as_json({"object": "list", "model": name, "data": data, "usage": usage(found)})


async def _asked(request: Request, serving: Serving, task: str) -> dict[str, Any]:
    if serving.options.task != task:
        text = f"{request.url.path} is for models for {task}"
        raise NotFound(f"{text}; {serving.options.name!r} is one for {serving.options.task}")
    body = await read_body(request, serving)
    asked = await serving.aside(len(body), lambda: read_object(body))
    if "model" in asked:
        if not isinstance(asked["model"], str):
            raise InvalidInput("'model' is no text; the name of a model is expected")
        require_model(asked["model"], serving.options.name, serving.options.aliases)
    return asked


async def run_texts(request: Request, texts: list[str], serving: Serving) -> Tensors:
    """What the model makes of texts."""
    rows = np.empty(len(texts), object)
    rows[:] = [text.encode("utf-8", "replace") for text in texts]
    return await while_connected(request, serving.infer({"text": rows}))


def usage(found: Tensors) -> dict[str, int]:
    """The tokens of a request."""
    tokens = int(found["tokens"].sum())
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _width(serving: Serving) -> int:
    return (serving.model.signature.outputs[0].shape or (0,))[-1]


def _written(vector: Array, form: str) -> object:
    if form == "base64":
        return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()
    return vector.tolist()
