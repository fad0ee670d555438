"""`/admin/models/{model}/…`: what operators want of a model.

A wish is published and accepted; what becomes of it the model's page shows.
"""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import (
    ModelPinRequested,
    ModelRequested,
    ModelRetryRequested,
    ModelSleepRequested,
    ModelUnloadRequested,
    SleepAsked,
    Wish,
)
from modelium.common.origins import BY_OPERATOR
from modelium.common.plans import SleepAnswer
from modelium.common.records import ModelRecord
from modelium.common.wishes import has_failed, is_pinned_by_file
from modelium.gateway.edge import errors_http
from modelium.gateway.edge.accepted import status_url
from modelium.gateway.pages.bodies import Responses, errors
from modelium.gateway.pages.documents import CommandAccepted
from modelium.gateway.pages.parts import ColdParts, ModelPath, Parts

ANSWER_S: Final = 5.0
"""How long the orchestrator may take to say whether a model can sleep."""
_ACCEPTED: Final[Responses] = {
    202: {
        "model": CommandAccepted,
        "description": "The wish was published; `Location` shows what becomes of it.",
    }
}
_WISH: Final = _ACCEPTED | errors(404, 503)
_REFUSABLE: Final = _WISH | errors(409)
router = APIRouter(prefix="/admin/models/{model}", tags=["admin"])


@router.post("/load", status_code=202, responses=_WISH)
async def load_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model loaded without a request for it."""
    name = parts.record(model).model
    return await _accepted(parts, ModelRequested(model=name, requested_by=BY_OPERATOR))


@router.post("/unload", status_code=202, responses=_REFUSABLE)
async def unload_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model drained and taken out of memory; 409 for one that is always loaded."""
    name = _not_pinned(parts, model).model
    return await _accepted(parts, ModelUnloadRequested(model=name, requested_by=BY_OPERATOR))


@router.post("/sleep", status_code=202, responses=_REFUSABLE)
async def sleep_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model drained and put to sleep; 409 says why it cannot be.

    It sleeps until somebody asks for it, or until others need what it keeps.
    """
    name = _not_pinned(parts, model).model
    try:
        answer = await parts.bus.ask(SleepAsked(model=name), SleepAnswer, timeout_s=ANSWER_S)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    if answer.problem:
        raise errors_http.unavailable(f"The orchestrator cannot say: {answer.problem}.")
    if answer.obstacle:
        raise errors_http.model_cannot_sleep(name, answer.obstacle)
    return await _accepted(parts, ModelSleepRequested(model=name, requested_by=BY_OPERATOR))


@router.post("/retry", status_code=202, responses=_REFUSABLE)
async def retry_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model that has failed loaded now, all its failures forgotten; 409: it has not."""
    record = parts.record(model)
    if not has_failed(record):
        raise errors_http.model_not_failed(record.model, record.state)
    wish = ModelRetryRequested(model=record.model, requested_by=BY_OPERATOR)
    return await _accepted(parts, wish)


@router.put("/pin", status_code=202, responses=_WISH)
async def pin_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Have a model always loaded from now on, as if the settings named it in `always_loaded`.

    It is kept until it is unpinned or its files are gone.
    """
    name = parts.record(model).model
    return await _accepted(parts, ModelPinRequested(model=name, requested_by=BY_OPERATOR))


@router.delete("/pin", status_code=202, responses=_REFUSABLE)
async def unpin_model(model: ModelPath, parts: Parts) -> JSONResponse:
    """Take back a pin; 409 for one that is pinned elsewhere, and there only."""
    record = parts.record(model)
    if not record.pinned and (by := _pinned_elsewhere(parts, record)):
        raise errors_http.model_pinned(record.model, by)
    wish = ModelPinRequested(model=record.model, pinned=False, requested_by=BY_OPERATOR)
    return await _accepted(parts, wish)


def _not_pinned(parts: ColdParts, model: str) -> ModelRecord:
    record = parts.record(model)
    if parts.is_pinned(record):
        by = _pinned_elsewhere(parts, record) or f"an operator: `modelium unpin {record.model}`"
        raise errors_http.model_pinned(record.model, by)
    return record


def _pinned_elsewhere(parts: ColdParts, record: ModelRecord) -> str:
    """What beside an operator wants it always loaded; empty: nothing."""
    if record.model in parts.pinned:
        return "orchestration.policies.always_loaded"
    return "`pin` in the file of settings beside its own files" if is_pinned_by_file(record) else ""


async def _accepted(parts: ColdParts, wish: Wish) -> JSONResponse:
    try:
        await parts.bus.publish(wish)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    url = status_url(wish.model)
    body = CommandAccepted(model=wish.model, state=parts.record(wish.model).state, status_url=url)
    headers = {"location": url}
    return JSONResponse(body.model_dump(mode="json"), status_code=202, headers=headers)
