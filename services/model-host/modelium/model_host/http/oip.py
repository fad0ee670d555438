"""The routes of one model in the Open Inference Protocol."""

from starlette.requests import Request
from starlette.responses import Response

from modelium.model_host.errors import NotFound
from modelium.model_host.http.probes import as_json, health
from modelium.model_host.http.reading import read_body, while_connected
from modelium.model_host.protocol.messages import (
    HEADER_LENGTH,
    InferRequest,
    read_request,
    require_model,
    require_outputs,
    write_answer,
)
from modelium.model_host.protocol.tensors import bytes_of
from modelium.model_host.serving import Serving

_VERSION = "1"


def _require(request: Request, serving: Serving) -> None:
    options = serving.options
    require_model(request.path_params["model"], options.name, options.aliases)
    version = request.path_params.get("version", _VERSION)
    if version != _VERSION:
        raise NotFound(f"version {version!r} is not served here; '{_VERSION}' is")


async def metadata(request: Request, serving: Serving) -> Response:
    """What the model takes and gives."""
    _require(request, serving)
    model = serving.model
    return as_json(
        {
            "name": serving.options.name,
            "versions": [_VERSION],
            "platform": model.platform,
            "inputs": [spec.metadata() for spec in model.signature.inputs],
            "outputs": [spec.metadata() for spec in model.signature.outputs],
        }
    )


async def ready(request: Request, serving: Serving) -> Response:
    """200 as long as the model is served."""
    _require(request, serving)
    return await health(request, serving)


async def infer(request: Request, serving: Serving) -> Response:
    """Tensors in, tensors out."""
    _require(request, serving)
    body = await read_body(request, serving)
    length = request.headers.get(HEADER_LENGTH)
    asked = await serving.aside(len(body), lambda: read_request(body, length))
    return await answer(request, asked, serving)


async def answer(request: Request, asked: InferRequest, serving: Serving) -> Response:
    """The model's answer to tensors, in the form that was asked for."""
    signature = serving.model.signature
    signature.require_fit(asked.inputs, asked.datatypes)
    require_outputs(asked, signature)
    outputs = await while_connected(request, serving.infer(asked.inputs))
    written = await serving.aside(
        bytes_of(outputs), lambda: write_answer(serving.options.name, asked, outputs, signature)
    )
    if written.header_length is None:
        return Response(written.body, media_type="application/json")
    headers = {HEADER_LENGTH: str(written.header_length)}
    return Response(written.body, headers=headers, media_type="application/octet-stream")
