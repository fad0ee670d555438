"""`/admin/plan` and `/admin/explain`: what would happen to a request, and what did happen and why.

A plan is the orchestrator's, asked over NATS; an explanation is made of what the store keeps.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import PlanAsked
from modelium.common.plans import Plan, PlanAnswer
from modelium.gateway.edge import errors_http
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.explaining import Explanation, about_model, while_it_waited
from modelium.gateway.pages.parts import ColdParts, ModelPath, Parts

ANSWER_S: Final = 5.0
"""How long the orchestrator may take: it answers between two decisions."""
MOST_DECISIONS: Final = 100

What = Annotated[str, Path(description="name of a model, or id of a request or of a decision")]
Limit = Annotated[int, Query(ge=1, le=MOST_DECISIONS, description="newest decisions of a model")]
router = APIRouter(prefix="/admin", tags=["admin"])


@router.get("/plan/{model}", responses=errors(404, 503))
async def plan_model(model: ModelPath, parts: Parts) -> Plan:
    """What would happen now if the model were asked for; asking changes nothing."""
    name = parts.record(model).model
    try:
        answer = await parts.bus.ask(PlanAsked(model=name), PlanAnswer, timeout_s=ANSWER_S)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    if answer.plan is None:
        raise errors_http.unavailable(f"The orchestrator has no plan: {answer.problem}.")
    return answer.plan


@router.get("/explain/{what:path}", responses=errors(404, 503))
async def explain(what: What, parts: Parts, limit: Limit = 20) -> Explanation:
    """What happened to a model or a request, or what a decision was, and why."""
    try:
        found = await _model(what, parts, limit) or await _request(what, parts)
        found = found or await _decision(what, parts)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    if found is None:
        parts.gate.refuse_if_closed()
        raise errors_http.not_explained(what)
    return found


async def _model(what: str, parts: ColdParts, limit: int) -> Explanation | None:
    """Also one that is gone, as long as decisions about it are kept."""
    record = parts.table.record(what)
    model = record.model if record else what
    decisions = await parts.store.history.decisions_of(model, most=limit)
    if record is None and not decisions:
        return None
    about = record.descriptor if record else None
    return Explanation(
        about="model",
        id=what,
        model=model,
        state=record.state if record else None,
        reason=record.reason if record else "",
        runtime_reason=about.runtime_reason if about else "",
        decisions=about_model(decisions, model),
    )


async def _request(what: str, parts: ColdParts) -> Explanation | None:
    request = await parts.store.history.request(what)
    if request is None:
        return None
    record = parts.table.record(request.model)
    decisions = await parts.store.history.decisions_of(request.model, most=MOST_DECISIONS)
    return Explanation(
        about="request",
        id=what,
        model=request.model,
        state=record.state if record else None,
        reason=record.reason if record else "",
        request=request,
        decisions=while_it_waited(about_model(decisions, request.model), request),
    )


async def _decision(what: str, parts: ColdParts) -> Explanation | None:
    decision = await parts.store.history.decision(what)
    if decision is None:
        return None
    return Explanation(about="decision", id=what, decisions=[decision])
