"""`/admin/decisions`: what was decided and advised, page by page, as far as it is kept."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from modelium.common.errors import DependencyUnavailable
from modelium.common.figures import DecidedAction, DecisionSource
from modelium.common.history import DecisionRecord, NoSuchDecision
from modelium.gateway.edge import errors_http
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.parts import Parts

router = APIRouter(prefix="/admin", tags=["admin"])


class DecidedOn(BaseModel):
    """What is to become of a model."""

    action: DecidedAction
    model: str
    device: str | None = Field(description="the first, where it is loaded or waits")
    reason: str


class Dropped(BaseModel):
    """Advice that a rule forbids."""

    action: DecidedAction
    model: str
    rule: str


class DecisionPage(BaseModel):
    """One decision; `/admin/explain/{id}` has it as it was said."""

    id: str
    time: datetime
    origin: str = Field(description="brain or orchestrator")
    source: DecisionSource
    leads: bool = Field(description="whether it counts; or was said for comparison")
    confidence: float | None = Field(description="the least of its parts")
    actions: list[DecidedOn]
    dropped: list[Dropped]
    outcome: str | None = Field(description="what came of it; null: not known, or nothing yet")


class DecisionPages(BaseModel):
    """The newest decisions first."""

    decisions: list[DecisionPage]
    next_before: str | None = Field(description="where the next page begins; null: at its end")


@router.get("/decisions", responses=errors(400, 503))
async def list_decisions(
    parts: Parts,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[
        str | None, Query(max_length=256, description="only older ones than this id")
    ] = None,
) -> DecisionPages:
    """The newest decisions, or those before one that is kept."""
    try:
        found = await parts.store.history.decisions(most=limit, before=before)
    except NoSuchDecision as unknown:
        raise errors_http.invalid_request(f"before: {unknown}", param="before") from unknown
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    return DecisionPages(
        decisions=[_page(record) for record in found.records],
        next_before=found.next_before,
    )


def _page(record: DecisionRecord) -> DecisionPage:
    certain = [decision.confidence for decision in record.decisions]
    certain += [record.plan.confidence] if record.plan else []
    return DecisionPage(
        id=record.decision_id,
        time=record.made_at,
        origin=record.origin,
        source=record.source,
        leads=not record.shadow,
        confidence=min(certain, default=None),
        actions=[
            DecidedOn(
                action=decision.action,
                model=decision.model,
                device=next(iter(decision.device_ids), None),
                reason=decision.reason,
            )
            for decision in record.decisions
            if decision.dropped_by is None
        ],
        dropped=[
            Dropped(action=decision.action, model=decision.model, rule=decision.dropped_by)
            for decision in record.decisions
            if decision.dropped_by is not None
        ],
        outcome=_outcome(record),
    )


def _outcome(record: DecisionRecord) -> str | None:
    """With the models' names only where there are several."""
    alone = len(record.models()) == 1
    said = [came.outcome if alone else f"{came.model}: {came.outcome}" for came in record.came]
    return "; ".join(said) or None
