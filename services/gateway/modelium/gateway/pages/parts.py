"""What the cold routes need, and which models a caller may see."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from modelium.common.api_keys import Scope
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.records import AgentRecord, ModelRecord, ModelState, model_of_instance
from modelium.common.store import Store
from modelium.common.wishes import is_pinned
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.gate import Gate
from modelium.gateway.live.parts import Live
from modelium.gateway.pages.documents import ModelPage
from modelium.gateway.pages.views import model_page
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import WaitingRoom


@dataclass(frozen=True, kw_only=True)
class ColdParts:
    """What the cold routes need."""

    gateway_id: str
    table: RouteTable
    room: WaitingRoom
    eta: Eta
    stats: Stats
    store: Store
    bus: Bus
    clock: Clock
    gate: Gate
    live: Live
    pinned: Collection[str]
    """Models that the settings want always loaded."""

    def is_pinned(self, record: ModelRecord) -> bool:
        """Whether it is always loaded, whoever says so."""
        return record.model in self.pinned or is_pinned(record)

    def record(self, model: str) -> ModelRecord:
        """The model's record, or ApiError 404 (503 while none are known yet)."""
        record = self.table.record(model)
        if record is None:
            self.gate.refuse_if_closed()
            raise errors.model_not_found(model)
        return record


def _parts(request: Request) -> ColdParts:
    parts: ColdParts = request.app.state.parts
    return parts


Parts = Annotated[ColdParts, Depends(_parts)]
ModelPath = Annotated[str, Path(description="name of the model")]


class Seen:
    """The models that this caller may see."""

    def __init__(
        self,
        parts: ColdParts,
        visible: Callable[[str], bool],
        *,
        sees_all: bool = False,
        is_operator: bool = False,
    ) -> None:
        self._parts = parts
        self._visible = visible
        self.sees_all = sees_all
        """Whether that is every model, also one that is gone."""
        self.is_operator = is_operator

    def visible(self, model: str) -> bool:
        """Whether a model of this name may be seen."""
        return self._visible(model)

    def records(self) -> list[tuple[ModelRecord, int | None]]:
        """All of them with their expected seconds, by name."""
        seen = (r for r in self._parts.table.records() if self._visible(r.model))
        return [(r, self._parts.eta.of(r.model)) for r in seen]

    def servable(self) -> list[tuple[ModelRecord, int | None]]:
        """Those of `records` that may be asked for: clients offer their users what is listed."""
        return [entry for entry in self.records() if entry[0].state is not ModelState.REJECTED]

    def record(self, model: str) -> tuple[ModelRecord, int | None]:
        """One of them; ApiError 404 if there is none, or none for this caller."""
        table = self._parts.table
        record = table.record(model)
        if record is None or not self._visible(record.model):
            self._parts.gate.refuse_if_closed()
            raise errors.model_not_found(model, table.meant(model, self._visible))
        return record, self._parts.eta.of(record.model)

    def waiting(self) -> dict[str, int]:
        """How many requests wait for each of them."""
        room = self._parts.room
        return {model: room.count(model) for model in room.models() if self._visible(model)}

    def missing(self) -> list[str]:
        """Names that are to be always loaded, but are no model's."""
        pinned = self._parts.pinned
        nobodys = (m for m in pinned if self._parts.table.record(m) is None)
        return sorted(model for model in nobodys if self._visible(model))

    def agent(self, agent: AgentRecord) -> AgentRecord:
        """The agent with the instances of these models only."""
        seen = tuple(i for i in agent.instances if self._visible(model_of_instance(i)))
        return agent.model_copy(update={"instances": seen})

    def page(self, model: str) -> ModelPage:
        """One of them for people, by its own figures only; ApiError 404 as `record`."""
        parts = self._parts
        entry = self.record(model)
        now_s = parts.clock.monotonic()
        figures = parts.stats.figures(model, parts.table, parts.room, now_s)
        return model_page(*entry, figures, pinned=parts.is_pinned(entry[0]))

    def pages(self) -> list[ModelPage]:
        """All of them for people."""
        parts = self._parts
        figures = parts.stats.snapshot(parts.table, parts.room, parts.clock.monotonic())
        by_model = {f.model: f for f in figures}
        return [
            model_page(r, eta_s, by_model.get(r.model), pinned=parts.is_pinned(r))
            for r, eta_s in self.records()
        ]


def _seen(request: Request, parts: Parts) -> Seen:
    # Set by the one who has looked at the caller's key; without it everything is visible.
    principal: Any = request.scope.get("state", {}).get("principal")
    if principal is None:
        return Seen(parts, _all, sees_all=True)
    is_operator = Scope.ADMIN in principal.scopes
    return Seen(parts, principal.may_use, sees_all=not principal.models, is_operator=is_operator)


def _all(_: str) -> bool:
    return True


SeenModels = Annotated[Seen, Depends(_seen)]
