"""`/admin/brain`: who advises, the rules or a language model, and how they did."""

from typing import Final

from fastapi import APIRouter
from pydantic import Field

from modelium.common.advice import BrainStatus
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import BrainAsked
from modelium.gateway.edge import errors_http
from modelium.gateway.live.documents import Regret
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.parts import Parts

ANSWER_S: Final = 5.0
"""How long the brain may take: it answers beside its thinking."""

router = APIRouter(prefix="/admin", tags=["admin"])


class BrainPage(BrainStatus):
    """The brain's answer, and how the regret went since this gateway has started."""

    history: list[Regret] = Field(description="whenever it became another; the oldest first")


@router.get("/brain", responses=errors(503))
async def show_brain(parts: Parts) -> BrainPage:
    """Who leads, and the language model's record beside the rules."""
    try:
        status = await parts.bus.ask(BrainAsked(), BrainStatus, timeout_s=ANSWER_S)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    return BrainPage(**dict(status), history=list(parts.live.advising.history))
