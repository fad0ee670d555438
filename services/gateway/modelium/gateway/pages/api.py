"""The cold routes, by FastAPI: pages for people, and all other routers.

Reads models from the table that the hot path uses; only `/status` asks the store.
"""

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from modelium.common.errors import DependencyUnavailable
from modelium.common.records import AgentRecord
from modelium.gateway.pages import (
    admin,
    brain,
    decisions,
    engine_log,
    explain,
    live,
    models,
    oip,
    policies,
    requests,
    session,
    uploads,
    wishes,
)
from modelium.gateway.pages.answers import tell_errors
from modelium.gateway.pages.documents import GatewayStatus, Health, Index, Status
from modelium.gateway.pages.openapi import document
from modelium.gateway.pages.parts import ColdParts, Parts, SeenModels
from modelium.gateway.pages.site import give_site, read_site
from modelium.gateway.pages.site import router as site_router
from modelium.gateway.pages.views import status_page

__all__ = ["ColdParts", "cold_app"]

router = APIRouter()


@router.get("/", tags=["pages"], response_model=Index)
async def index(request: Request) -> Response | Index:
    """Where to look; a browser is sent to the page at /ui."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/ui")
    return Index(
        name="modelium",
        version=version("modelium"),
        documentation="/docs",
        openapi="/openapi.json",
        models="/v1/models",
        status="/status",
        ui="/ui",
    )


@router.get("/health", tags=["health"])
async def health() -> Health:
    """Whether the gateway is alive; `/readyz` says whether it serves."""
    return Health()


@router.get("/status", tags=["pages"])
async def status(parts: Parts, seen: SeenModels) -> Status:
    """Models, agents with their devices, and this gateway."""
    agents: list[AgentRecord] | None
    try:
        agents = [seen.agent(agent) for agent in await parts.store.agents.all()]
    except DependencyUnavailable:
        agents = None
    gateway = GatewayStatus(
        id=parts.gateway_id,
        active_requests=parts.stats.active,
        waiting=seen.waiting(),
        nats_connected=parts.bus.connected,
    )
    return status_page(seen.pages(), agents, gateway, missing=seen.missing())


class _ColdApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return _document()


@cache
def _document() -> dict[str, Any]:
    return document(routes())


def routes() -> FastAPI:
    """The cold routes without what they need; enough for the document."""
    app = _ColdApp(
        title="Modelium",
        version=version("modelium"),
        docs_url="/docs",
        redoc_url=None,
        # A redirect would be a route that no document tells of.
        redirect_slashes=False,
    )
    app.include_router(models.router)
    app.include_router(oip.router)
    app.include_router(admin.router)
    app.include_router(explain.router)
    app.include_router(policies.router)
    app.include_router(brain.router)
    app.include_router(session.router)
    app.include_router(live.router)
    app.include_router(requests.router)
    app.include_router(decisions.router)
    app.include_router(wishes.router)
    app.include_router(engine_log.router)
    app.include_router(uploads.router)
    app.include_router(router)
    app.include_router(site_router)
    tell_errors(app)
    return app


def cold_app(parts: ColdParts) -> FastAPI:
    """The application for everything but the hot path."""
    app = routes()
    app.openapi()  # takes a while: not when requests are served
    app.state.parts = parts
    give_site(app, read_site())
    return app
