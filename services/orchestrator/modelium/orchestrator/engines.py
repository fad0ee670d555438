"""Which engine belongs to which model, and which belongs to none. Pure.

A model's engine is, in this order: the one a command on the way starts, the one its record names,
one that an agent reports while its event is still under way. An engine an agent reports beside
these is an orphan: the registry has ended it, or has forgotten its model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from modelium.common.events import LoadModel, WakeModel
from modelium.common.records import LIVE_STATES, Instance, InstanceState, ModelRecord, ModelState
from modelium.core.ledger import Holding
from modelium.orchestrator.in_flight import Sent
from modelium.orchestrator.placement_state import PlacementState

OF_INSTANCE: Final = {
    InstanceState.LOADING: ModelState.LOADING,
    InstanceState.LOADED: ModelState.LOADED,
    InstanceState.SLEEPING: ModelState.SLEEPING,
    InstanceState.UNLOADING: ModelState.UNLOADING,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine as far as it is known."""

    instance_id: str
    agent_id: str
    generation: int
    state: ModelState
    device_ids: tuple[str, ...]
    reserved_bytes: int
    resident_bytes: int


def engine_of(
    record: ModelRecord, sent: Sent | None, instances: Mapping[str, Instance]
) -> Engine | None:
    """The model's engine, with what commands on the way will make of it."""
    if sent and isinstance(sent.command, LoadModel):
        return _commanded(sent.command)
    engine = _recorded(record, instances) or _reported(record, instances)
    if engine and sent and sent.command.instance_id == engine.instance_id:
        wakes = isinstance(sent.command, WakeModel)
        return replace(engine, state=ModelState.LOADING if wakes else ModelState.UNLOADING)
    return engine


def engines(state: PlacementState, now_s: float) -> dict[str, Engine]:
    """Model to its engine, of all that have one."""
    instances = state.agents.instances(now_s)
    found = {
        model: engine_of(record, state.sent.get(model), instances)
        for model, record in state.records.items()
    }
    return {model: engine for model, engine in found.items() if engine}


def orphans(state: PlacementState, now_s: float) -> list[Instance]:
    """Reported engines that belong to no model."""
    owned = {engine.instance_id for engine in engines(state, now_s).values()}
    reported = state.agents.instances(now_s)
    return [instance for key, instance in reported.items() if key not in owned]


def holdings(state: PlacementState, now_s: float) -> list[Holding]:
    """Every claim on every device, of orphans and of loads left behind too."""
    owned = [
        _holding(e.instance_id, device_id, e.reserved_bytes, e.resident_bytes, e.state)
        for e in engines(state, now_s).values()
        for device_id in e.device_ids
    ]
    stray = [
        _holding(i.instance_id, device_id, i.reserved_bytes, i.resident_bytes, OF_INSTANCE[i.state])
        for i in orphans(state, now_s)
        for device_id in i.device_ids
    ]
    return [*owned, *stray, *state.left_behind.holdings()]


def held_bytes(engine: Engine | None, held: Iterable[Holding]) -> int:
    """What an engine holds of each of its devices."""
    if engine is None:
        return 0
    mine = [h.charged_bytes for h in held if h.instance_id == engine.instance_id]
    return max(mine, default=0)


def _holding(
    instance_id: str, device_id: str, reserved: int, resident: int, state: ModelState
) -> Holding:
    starting = state is ModelState.LOADING
    if state is ModelState.SLEEPING and resident:
        reserved = resident  # the rest is given back until it wakes
    return Holding(instance_id, device_id, reserved, resident, starting=starting)


def _commanded(command: LoadModel) -> Engine:
    return Engine(
        command.instance_id,
        command.agent_id,
        command.generation,
        ModelState.LOADING,
        command.device_ids,
        command.reserve_bytes,
        0,
    )


def _recorded(record: ModelRecord, instances: Mapping[str, Instance]) -> Engine | None:
    if record.state not in LIVE_STATES or not record.instance_id:
        return None
    reported = instances.get(record.instance_id)
    measured = reported.resident_bytes if reported else _last_measured(record)
    return Engine(
        record.instance_id,
        record.agent_id or "",
        record.generation,
        record.state,
        record.device_ids,
        record.reserved_bytes or (reported.reserved_bytes if reported else 0),
        measured,
    )


def _last_measured(record: ModelRecord) -> int:
    """A record keeps what its earlier engine held; that says nothing while a new one starts."""
    return 0 if record.state is ModelState.LOADING else record.resident_bytes


def _reported(record: ModelRecord, instances: Mapping[str, Instance]) -> Engine | None:
    over = max(record.ended_generation, record.generation - 1)
    own = [i for i in instances.values() if i.model == record.model and i.generation > over]
    if not own:
        return None
    newest = max(own, key=lambda i: i.generation)
    return Engine(
        newest.instance_id,
        newest.agent_id,
        newest.generation,
        OF_INSTANCE[newest.state],
        newest.device_ids,
        newest.reserved_bytes,
        newest.resident_bytes,
    )
