"""`/live` and `/events`: what happens, as it happens, by server-sent events.

A stream begins only when nothing can refuse it any more, and ends at once when the gateway stops.
FastAPI sends the comments that show that it is alive.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from modelium.common.errors import DependencyUnavailable
from modelium.common.event_log import EventReader
from modelium.gateway.edge import errors_http
from modelium.gateway.live.bus_events import NoSuchSubject, Wanted, patterns
from modelium.gateway.live.changes import Looker
from modelium.gateway.live.documents import BusEvent, BusEvents, LiveSnapshot
from modelium.gateway.pages.bodies import errors
from modelium.gateway.pages.parts import ColdParts, Parts, SeenModels

RETRY_MS: Final = 2000
"""After which a browser comes again when its stream has ended."""
_PAGE: Final = 500
_MOST_LOOKED_AT: Final = 10_000
"""Of facts, for one page of those that are asked for."""

router = APIRouter(tags=["live"])


def _open(parts: Parts) -> None:
    parts.gate.refuse_if_closed()


@router.get(
    "/live",
    response_class=EventSourceResponse,
    dependencies=[Depends(_open)],
    responses=errors(503),
)
async def follow_everything(parts: Parts, seen: SeenModels) -> AsyncIterator[Any]:
    """Models, devices and their figures: first everything, then once a second what is new.

    The event `snapshot` has everything, `change` only the rows that have changed, each whole. Who
    comes again gets a snapshot, whatever was seen before.
    """
    looker = Looker(gateway_id=parts.gateway_id, visible=seen.visible)
    with parts.live.board.looked_at() as view:
        first = looker.snapshot(view, nats_connected=parts.bus.connected)
        yield _told("snapshot", first, retry=RETRY_MS)
        while (now := await parts.gate.unless_stopped(parts.live.board.next())) is not None:
            change = looker.change(now, nats_connected=parts.bus.connected)
            if change is not None:
                yield _told("change", change)


def _told(event: str, document: LiveSnapshot, retry: int | None = None) -> ServerSentEvent:
    number = int(document.time.timestamp() * 1000)
    return ServerSentEvent(event=event, data=document, id=str(number), retry=retry)


def _wanted(
    seen: SeenModels,
    subject: Annotated[
        list[str] | None,
        Query(description="only these, such as `model.*` (repeat it for several)"),
    ] = None,
    model: Annotated[str | None, Query(description="only what is about this model")] = None,
    everything: Annotated[
        bool, Query(alias="all", description="also decisions of the brain to change nothing")
    ] = False,
) -> Wanted:
    try:
        subjects = patterns(subject or ())
    except NoSuchSubject as wrong:
        raise errors_http.invalid_request(str(wrong), param="subject") from wrong
    return Wanted(
        visible=seen.visible,
        sees_all=seen.sees_all,
        is_operator=seen.is_operator,
        subjects=subjects,
        model=model,
        everything=everything,
    )


async def _reader(
    parts: Parts,
    after: Annotated[
        int | None, Query(ge=0, description="begin behind this `seq`; left out: with what is new")
    ] = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, description="as `after`, and before it: browsers come again so")
    ] = None,
) -> AsyncIterator[tuple[int, EventReader]]:
    # Not checked: a browser that comes again cannot know that the log has begun anew meanwhile.
    place = last_event_id
    if place is None:
        try:
            newest = await parts.live.readers.log.position()
        except DependencyUnavailable as error:
            raise errors_http.unavailable(str(error)) from error
        place = _place(after, newest)
    async with parts.live.readers.reading(place) as reader:
        yield place, reader


def _place(after: int | None, newest: int) -> int:
    if after is not None and after > newest:
        text = f"after={after}: there is no such fact yet; the newest has the seq {newest}"
        raise errors_http.invalid_request(text, param="after")
    return newest if after is None else after


@router.get(
    "/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(_open)],
    responses=errors(400, 429, 503),
)
async def follow_bus(
    parts: Parts,
    wanted: Annotated[Wanted, Depends(_wanted)],
    reading: Annotated[tuple[int, EventReader], Depends(_reader)],
) -> AsyncIterator[Any]:
    """All facts that are said on the bus and kept, from now or from a place on.

    Each has its `seq` as `id`, and its subject as `event`. Who comes again with the last `id` has
    missed nothing, for as long as the bus keeps it (7 days).
    """
    place, reader = reading
    # An id without data is remembered by the client: it can come again before the first fact.
    yield ServerSentEvent(id=str(place), retry=RETRY_MS)
    while (events := await parts.gate.unless_stopped(reader.next())) is not None:
        for event in events:
            if (shown := wanted.shown(event)) is not None:
                yield ServerSentEvent(event=event.subject, id=str(event.seq), data=shown)


@router.get("/events/recent", responses=errors(503))
async def list_events(
    parts: Parts,
    wanted: Annotated[Wanted, Depends(_wanted)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    before: Annotated[
        int | None, Query(ge=1, description="only older ones than this `seq`")
    ] = None,
) -> BusEvents:
    """The newest facts, or those before a place; the next page begins at `next_before`.

    A page may have fewer than `limit`, or none, although there are more: then many others lie
    between.
    """
    try:
        return await _page(parts, wanted, limit, before)
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error


async def _page(parts: ColdParts, wanted: Wanted, limit: int, before: int | None) -> BusEvents:
    found: list[BusEvent] = []
    looked_at = 0
    while looked_at < _MOST_LOOKED_AT:
        events = await parts.live.readers.log.before(before, most=_PAGE)
        looked_at += _PAGE
        for event in events:
            before = event.seq
            if (shown := wanted.shown(event)) is not None:
                found.append(shown)
            if len(found) == limit:
                return BusEvents(events=found, next_before=before)
        if not events:
            return BusEvents(events=found, next_before=None)
    return BusEvents(events=found, next_before=before)
