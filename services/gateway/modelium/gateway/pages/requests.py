"""`/admin/requests`: what all gateways answer at the moment, and an end to one of it."""

from typing import Annotated, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import RequestCancelAsked, RequestsAsked
from modelium.common.ongoing_requests import CancelAnswer, OngoingRequest, RequestsAnswer
from modelium.gateway.edge import errors_http
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.parts import ColdParts, Parts

ANSWER_S: Final = 2.0
"""How long is waited for a gateway that was there a moment ago, or may be."""
_MANY: Final = 1000

router = APIRouter(prefix="/admin", tags=["admin"])


class OngoingRequests(BaseModel):
    """What is waiting or at an engine, the oldest first."""

    requests: list[OngoingRequest]
    left_out: int = Field(description="how many more there are: a gateway tells of 1,000")


class RequestCancelled(BaseModel):
    """The request is being ended."""

    id: str
    cancelled: int = Field(description="how many had this id: clients may give two the same")


@router.get("/requests", responses=errors(503))
async def list_requests(parts: Parts) -> OngoingRequests:
    """The requests that all gateways are answering: those that wait, and those at an engine."""
    try:
        answers = await parts.bus.ask_all(
            RequestsAsked(), RequestsAnswer, most=_gateways(parts), timeout_s=ANSWER_S
        )
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    found = [request for answer in answers for request in answer.requests]
    return OngoingRequests(
        requests=sorted(found, key=lambda request: (request.since, request.id)),
        left_out=sum(answer.left_out for answer in answers),
    )


@router.delete("/requests/{request_id:path}", status_code=202, responses=errors(404, 503))
async def cancel_request(
    request_id: Annotated[str, Path(min_length=1, description="its x-request-id")], parts: Parts
) -> RequestCancelled:
    """End a request, wherever it is, as if its client had left; the client is told so (503)."""
    asked = RequestCancelAsked(request_id=request_id)
    try:
        answers = await parts.bus.ask_all(
            asked, CancelAnswer, most=_gateways(parts), timeout_s=ANSWER_S
        )
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error
    cancelled = sum(answer.cancelled for answer in answers)
    if not cancelled:
        text = f"No request of the id {request_id[:128]!r} is being answered."
        raise errors_http.not_found(text)
    return RequestCancelled(id=request_id, cancelled=cancelled)


def _gateways(parts: ColdParts) -> int:
    """How many there are to answer; before all were heard it is waited for whoever does."""
    board = parts.live.board
    return board.gateways if board.has_heard_all else _MANY
