"""The Open Inference Protocol's routes about the server and its models; they load nothing."""

from importlib import metadata as packages
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from modelium.common.records import ModelRecord
from modelium.gateway.edge.errors_http import not_found
from modelium.gateway.pages.bodies import OipErrorBody, Responses, errors
from modelium.gateway.pages.documents import OipLive, OipModel, OipModelReady, OipReady, OipServer
from modelium.gateway.pages.parts import ModelPath, Parts, Seen, SeenModels
from modelium.gateway.pages.views import oip_model, oip_ready

router = APIRouter(tags=["open inference protocol"])

VersionPath = Annotated[str, Path(description="there is one version at a time: 1")]
_ABOUT_MODELS = errors(404, body=OipErrorBody)
_BINARY: Final = "binary_tensor_data"
"""Bodies pass through byte for byte, and so does the header that says where the tensors begin."""
_STARTING = errors(503, body=OipErrorBody)
_NOT_READY: Responses = {
    503: {"model": OipModelReady | OipErrorBody, "description": "It is not loaded."}
}


@router.get("/v2")
async def server() -> OipServer:
    """This server."""
    return OipServer(name="modelium", version=packages.version("modelium"), extensions=[_BINARY])


@router.get("/v2/health/live")
async def live() -> OipLive:
    """Whether the gateway is alive."""
    return OipLive(live=True)


@router.get("/v2/health/ready", responses={503: {"model": OipReady, "description": "It is not."}})
async def ready(parts: Parts, response: Response) -> OipReady:
    """Whether requests are let in."""
    is_ready = parts.gate.known and not parts.gate.stopping
    response.status_code = 200 if is_ready else 503
    return OipReady(ready=is_ready)


@router.get("/v2/models/{model}", responses=_ABOUT_MODELS | _STARTING)
async def metadata(model: ModelPath, seen: SeenModels) -> OipModel:
    """What is known of a model."""
    return oip_model(*seen.record(model))


@router.get("/v2/models/{model}/versions/{version}", responses=_ABOUT_MODELS | _STARTING)
async def version_metadata(model: ModelPath, version: VersionPath, seen: SeenModels) -> OipModel:
    """What is known of a model's version."""
    return oip_model(*_entry(model, version, seen))


@router.get("/v2/models/{model}/ready", responses=_ABOUT_MODELS | _NOT_READY)
async def model_ready(model: ModelPath, seen: SeenModels, response: Response) -> OipModelReady:
    """Whether a model is loaded: 200, else 503. A request to one that is not loads it."""
    return _ready(seen.record(model), response)


@router.get("/v2/models/{model}/versions/{version}/ready", responses=_ABOUT_MODELS | _NOT_READY)
async def version_ready(
    model: ModelPath, version: VersionPath, seen: SeenModels, response: Response
) -> OipModelReady:
    """Whether a model's version is loaded."""
    return _ready(_entry(model, version, seen), response)


def _ready(entry: tuple[ModelRecord, int | None], response: Response) -> OipModelReady:
    answer = oip_ready(*entry)
    response.status_code = 200 if answer.ready else 503
    return answer


def _entry(model: str, version: str, seen: Seen) -> tuple[ModelRecord, int | None]:
    entry = seen.record(model)
    if version != "1":
        raise not_found(f"The model {model!r} has no version {version[:64]!r}, only '1'.")
    return entry
