"""The ASGI application: routes, errors, and what is counted of every request."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from modelium.model_host.errors import HostError, Unavailable
from modelium.model_host.http import oip, predict, probes, texts
from modelium.model_host.serving import Serving

Endpoint = Callable[[Request, Serving], Awaitable[Response]]

_LOOKS: Final[Mapping[str, Endpoint]] = {
    "/health": probes.health,
    "/metrics": probes.metrics,
    "/v2": probes.server,
    "/v2/health/live": probes.live,
    "/v2/health/ready": probes.health,
    "/v2/models/{model}": oip.metadata,
    "/v2/models/{model}/versions/{version}": oip.metadata,
    "/v2/models/{model}/ready": oip.ready,
    "/v2/models/{model}/versions/{version}/ready": oip.ready,
}
"""Asked with GET, by those who watch; not counted."""
_ASKS: Final[Mapping[str, Endpoint]] = {
    "/v2/models/{model}/infer": oip.infer,
    "/v2/models/{model}/versions/{version}/infer": oip.infer,
    "/predict": predict.predict,
    "/v1/embeddings": texts.embeddings,
    "/classify": texts.classify,
}
"""Asked with POST, for an answer of the model."""
_OPENAI: Final = ("/v1/", "/classify")
_LEFT: Final = 499


def build(serving: Serving) -> Starlette:
    """The application that serves this model."""
    looks = [Route(path, _plain(serving, look)) for path, look in _LOOKS.items()]
    asks = [
        Route(path, _counted(serving, path, ask), methods=["POST"]) for path, ask in _ASKS.items()
    ]
    handlers = {HTTPException: _no_route, 500: _broken}
    return Starlette(routes=[*looks, *asks], exception_handlers=handlers)


def _plain(serving: Serving, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await _answered(request, endpoint, serving)

    return answer


def _counted(
    serving: Serving, path: str, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        code = 500
        request.state.held = 0
        try:
            response = await _answered(request, endpoint, serving)
            code = response.status_code
        except asyncio.CancelledError:
            serving.cancelled()
            raise
        finally:
            serving.held.give_back(request.state.held)
            serving.metrics.answered(path, code, loop.time() - begin)
        return response

    return answer


async def _answered(request: Request, endpoint: Endpoint, serving: Serving) -> Response:
    try:
        return await endpoint(request, serving)
    except HostError as error:
        return _refusal(request, error.status, str(error), retry=isinstance(error, Unavailable))
    except ClientDisconnect:
        return Response(status_code=_LEFT)


def _refusal(request: Request, status: int, text: str, *, retry: bool = False) -> Response:
    """An error in the form that clients of this route read."""
    content: dict[str, object] = {"error": text}
    if request.url.path.startswith(_OPENAI):
        kind = "invalid_request_error" if status < 500 else "server_error"
        content = {"error": {"message": text, "type": kind, "param": None, "code": status}}
    headers = {"retry-after": "1"} if retry else None
    return Response(to_json(content), status, headers, "application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = f"{request.method} {request.url.path}: {error.detail}"
    return _refusal(request, error.status_code, text)


async def _broken(request: Request, error: Exception) -> Response:
    return _refusal(request, 500, "internal error; the host's log has it")
