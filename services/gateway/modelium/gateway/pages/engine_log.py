"""`/admin/models/{model}/log`: what a model's newest engine has written, asked of its agent.

Agents read their engines' logs, also those of engines that failed. Who follows is told of each line
once, and of the next engine when there is one.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel, Field

from modelium.common.engine_log import MOST_LINES, EngineLog
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import EngineLogAsked
from modelium.common.records import ModelRecord, instance_id
from modelium.gateway.edge import errors_http
from modelium.gateway.pages.bodies import Responses, errors
from modelium.gateway.pages.parts import ColdParts, ModelPath, Parts

ANSWER_S: Final = 5.0
POLL_S: Final = 1.0
KEEPALIVE_S: Final = 15.0
DEFAULT_LINES: Final = 200
_STREAM: Final[Responses] = {
    200: {"description": "With `follow`, events `line`.", "content": {"text/event-stream": {}}}
}
router = APIRouter(prefix="/admin/models/{model}", tags=["admin"])


class EngineLogPage(BaseModel):
    """The newest lines of the model's newest engine."""

    model: str
    instance_id: str
    lines: Sequence[str]
    mark: str = Field(description="follow with `after` to hear what was written since")


@dataclass(frozen=True)
class _Place:
    """How much of which engine's log was told."""

    instance_id: str
    mark: str = ""

    @classmethod
    def read(cls, text: str) -> "_Place":
        """What `str` has made of one; anything else is a place in no log."""
        instance, _, mark = text.partition("@")
        return cls(instance, mark)

    def __str__(self) -> str:
        return f"{self.instance_id}@{self.mark}"


@router.get("/log", response_model=EngineLogPage, responses=_STREAM | errors(404, 503))
async def show_log(
    model: ModelPath,
    parts: Parts,
    lines: Annotated[
        int | None,
        Query(ge=0, le=MOST_LINES, description="at most; left out: 200, or 0 of who follows"),
    ] = None,
    follow: Annotated[bool, Query(description="go on, by server-sent events")] = False,
    after: Annotated[
        str, Query(max_length=300, description="only what came after this `mark`")
    ] = "",
    last_event_id: Annotated[
        str | None, Header(max_length=300, description="where a stream goes on that was cut")
    ] = None,
) -> Response | EngineLogPage:
    """What the model's newest engine has written last; also one that has failed.

    With `follow` each line is an event `line` with `{"line": "…"}`, from now on unless `lines` or
    `after` say otherwise. An event `engine` with `{"instance_id": "…"}` comes before the lines of
    an engine. Long lines are cut, and of very many at once the oldest are left out.
    """
    name = parts.record(model).model
    parts.gate.refuse_if_closed()
    seen, newest = _Place.read(last_event_id or after), instance_of(parts.record(name))
    mark = seen.mark if seen.instance_id == newest else ""
    wanted = lines if lines is not None else 0 if follow and not mark else DEFAULT_LINES
    log = await _log(parts, name, mark, max(1, wanted))
    log = log if wanted else log.model_copy(update={"lines": ()})
    place = _Place(newest, log.mark)
    if follow:
        return EventSourceResponse(_followed(parts, name, place, log))
    return EngineLogPage(model=name, instance_id=newest, lines=log.lines, mark=str(place))


def instance_of(record: ModelRecord) -> str:
    """The model's newest engine, running or not; ApiError 404: it never had one."""
    if not record.newest_generation:
        raise errors_http.not_found(f"The model {record.model!r} has had no engine yet.")
    return instance_id(record.model, record.newest_generation)


async def _log(parts: ColdParts, model: str, after: str, lines: int) -> EngineLog:
    """Asked of the engine's agent, or of all where the record does not name it any more."""
    record = parts.record(model)
    instance, silent = instance_of(record), ""
    for agent_id in await _agents(parts, record):
        question = EngineLogAsked(agent_id=agent_id, instance_id=instance, lines=lines, after=after)
        try:
            log = await parts.bus.ask(question, EngineLog, timeout_s=ANSWER_S)
        except DependencyUnavailable as error:
            silent = str(error)
            continue
        if log.known:
            return log
    if silent:
        raise errors_http.unavailable(silent)
    raise errors_http.not_found(f"No log is kept of {instance}: it was never started, or long ago.")


async def _agents(parts: ColdParts, record: ModelRecord) -> list[str]:
    copy = record.copy_of(record.newest_generation)
    of_first = record.agent_id if record.generation == record.newest_generation else None
    if agent_id := copy.agent_id if copy else of_first:
        return [agent_id]
    try:
        return [agent.agent_id for agent in await parts.store.agents.all()]
    except DependencyUnavailable as error:
        raise errors_http.unavailable(str(error)) from error


async def _followed(
    parts: ColdParts, model: str, place: _Place, log: EngineLog | None
) -> AsyncIterator[bytes]:
    """Until the model or the gateway goes; an agent that is silent for a while is waited for."""
    yield _event("engine", {"instance_id": place.instance_id}, place)
    told_s = parts.clock.monotonic()
    while True:
        now_s = parts.clock.monotonic()
        if log and log.lines:
            yield b"".join(_event("line", {"line": line}, place) for line in log.lines)
            told_s = now_s
        elif now_s - told_s >= KEEPALIVE_S:
            yield KEEPALIVE_COMMENT
            told_s = now_s
        await parts.gate.unless_stopped(parts.clock.sleep(POLL_S))
        record = parts.table.record(model)
        if parts.gate.stopping or record is None:
            return
        newest = instance_of(record)
        if newest != place.instance_id:
            place = _Place(newest)
            yield _event("engine", {"instance_id": newest}, place)
        log = await _more(parts, model, place)
        place = _Place(newest, log.mark if log else place.mark)


async def _more(parts: ColdParts, model: str, place: _Place) -> EngineLog | None:
    try:
        return await _log(parts, model, place.mark, MOST_LINES)
    except errors_http.ApiError:
        return None


def _event(kind: str, data: dict[str, str], place: _Place) -> bytes:
    return format_sse_event(event=kind, data_str=json.dumps(data), id=str(place))
