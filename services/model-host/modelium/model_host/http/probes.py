"""Health, the server itself, and figures."""

from importlib.metadata import version
from typing import Final

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from modelium.model_host.errors import Unavailable
from modelium.model_host.serving import Serving, State

_LIBRARIES: Final = {"pytorch": "torch"}
"""Whose names in the protocol are not those of their packages."""


def as_json(content: object) -> Response:
    """An answer in JSON."""
    return Response(to_json(content, inf_nan_mode="null"), media_type="application/json")


async def health(_request: Request, serving: Serving) -> Response:
    """200 as long as requests are served: the model is loaded and its canary has answered."""
    if serving.state is not State.READY:
        reason = f": {serving.failure}" if serving.failure else ""
        raise Unavailable(f"model {serving.options.name!r} is {serving.state}{reason}")
    return as_json({"status": "ok", "model": serving.options.name, "ready": True})


async def live(_request: Request, _serving: Serving) -> Response:
    """200: this process answers."""
    return as_json({"live": True})


async def server(_request: Request, serving: Serving) -> Response:
    """The server's metadata; its version is that of the library which runs the model."""
    library = serving.model.platform.partition("_")[0]
    number = version(_LIBRARIES.get(library, library))
    return as_json(
        {
            "name": "modelium-model-host",
            "version": f"{library}-{number}",
            "extensions": ["binary_tensor_data"],
        }
    )


async def metrics(_request: Request, serving: Serving) -> Response:
    """Figures in Prometheus' format."""
    return Response(serving.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
