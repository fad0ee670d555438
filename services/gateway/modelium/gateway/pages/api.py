"""The cold routes, by FastAPI: lists of models, pages for people, admin commands.

Reads models from the table that the hot path uses; only `/status` asks the store.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message, ModelRequested, ModelUnloadRequested
from modelium.common.records import AgentRecord, ModelRecord
from modelium.common.store import Store
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.gate import Gate
from modelium.gateway.pages.views import model_card, model_page, status_page
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.room import WaitingRoom


@dataclass(frozen=True, kw_only=True)
class ColdParts:
    """What the cold routes need."""

    gateway_id: str
    table: RouteTable
    room: WaitingRoom
    stats: Stats
    store: Store
    bus: Bus
    clock: Clock
    gate: Gate
    pinned: Collection[str]
    """Models that nobody can unload."""

    def record(self, model: str) -> ModelRecord:
        """The model's record, or ApiError 404 (503 while none are known yet)."""
        record = self.table.record(model)
        if record is None:
            self.gate.refuse_if_closed()
            raise errors.model_not_found(model)
        return record

    def pages(self) -> list[dict[str, Any]]:
        """All models for people."""
        now_s = self.clock.monotonic()
        figures = {f.model: f for f in self.stats.snapshot(self.table, self.room, now_s)}
        return [
            model_page(r, self.table.eta_s(r.model, now_s), figures.get(r.model))
            for r in self.table.records()
        ]


def _parts(request: Request) -> ColdParts:
    parts: ColdParts = request.app.state.parts
    return parts


Parts = Annotated[ColdParts, Depends(_parts)]
ModelPath = Annotated[str, Path(description="name of the model")]
router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the gateway is alive; `/readyz` says whether it serves."""
    return {"status": "ok"}


@router.get("/v1/models")
async def list_models(parts: Parts) -> dict[str, Any]:
    """All models, loaded or not, in OpenAI's form with a `modelium` object each."""
    now_s = parts.clock.monotonic()
    cards = [model_card(r, parts.table.eta_s(r.model, now_s)) for r in parts.table.records()]
    return {"object": "list", "data": cards}


@router.get("/v1/models/{model}")
async def get_model(model: ModelPath, parts: Parts) -> dict[str, Any]:
    """One model in OpenAI's form."""
    record = parts.record(model)
    return model_card(record, parts.table.eta_s(model, parts.clock.monotonic()))


@router.get("/models")
async def show_models(parts: Parts) -> dict[str, Any]:
    """All models for people."""
    return {"models": parts.pages()}


@router.get("/models/{model}")
async def show_model(model: ModelPath, parts: Parts) -> dict[str, Any]:
    """One model for people; the status URL of a load or an unload."""
    parts.record(model)
    return next(page for page in parts.pages() if page["model"] == model)


@router.get("/status")
async def status(parts: Parts) -> dict[str, Any]:
    """Models, agents with their devices, and this gateway."""
    agents: list[AgentRecord] | None
    try:
        agents = await parts.store.agents.all()
    except DependencyUnavailable:
        agents = None
    waiting = {model: parts.room.count(model) for model in parts.room.models()}
    gateway = {
        "id": parts.gateway_id,
        "active_requests": parts.stats.active,
        "waiting": waiting,
        "nats_connected": parts.bus.connected,
    }
    return status_page(parts.pages(), agents, gateway)


@router.post("/admin/models/{model}/load", status_code=202)
async def load_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model loaded without a request for it."""
    parts.record(model)
    return await _accepted(model, parts, ModelRequested(model=model, requested_by="operator"))


@router.post("/admin/models/{model}/unload", status_code=202)
async def unload_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model drained and taken out of memory; 409 for one that is always loaded."""
    parts.record(model)
    if model in parts.pinned:
        raise errors.model_pinned(model)
    return await _accepted(model, parts, ModelUnloadRequested(model=model, requested_by="operator"))


async def _accepted(model: str, parts: ColdParts, message: Message) -> JSONResponse:
    try:
        await parts.bus.publish(message)
    except DependencyUnavailable as error:
        raise errors.unavailable(str(error)) from error
    page = parts.record(model)
    body = {"model": model, "state": page.state, "status_url": f"/models/{model}"}
    return JSONResponse(body, status_code=202, headers={"location": f"/models/{model}"})


def _respond(error: ApiError) -> JSONResponse:
    headers = {str(name, "ascii"): str(value, "ascii") for name, value in error.headers()}
    return JSONResponse(error.body(), status_code=error.status, headers=headers)


async def _on_api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return _respond(error)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allow = (error.headers or {}).get("allow", "GET")
        return _respond(errors.method_not_allowed(request.method, request.url.path, allow=allow))
    if error.status_code == 404:
        return _respond(errors.not_found(f"There is no route {request.url.path}."))
    return _respond(ApiError(error.status_code, "error", "invalid_request_error", error.detail))


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _respond(errors.invalid_request(str(error.errors()[0].get("msg", "invalid"))))


def cold_app(parts: ColdParts) -> FastAPI:
    """The application for everything but the hot path."""
    app = FastAPI(title="Modelium gateway", docs_url="/docs", redoc_url=None)
    app.state.parts = parts
    app.include_router(router)
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    return app
