"""Which engine belongs to which model, and which belongs to none. Pure.

A model's engine is, in this order: the one a command on the way starts, the one its record names,
one that an agent reports while its event is still under way. An engine an agent reports beside
these is an orphan: the registry has ended it, or has forgotten its model.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Found:
    """All engines at one moment, looked for once for everything that is then decided."""

    by_model: Mapping[str, Engine]
    """Of all models that have one."""
    orphans: tuple[Instance, ...]
    """Reported engines that belong to no model."""
    holdings: Mapping[str, Sequence[Holding]]
    """Device to every claim on it, of orphans and of loads left behind too."""
    held_bytes: Mapping[str, int]
    """Instance id to what it holds of each of its devices."""


def find(state: PlacementState, now_s: float) -> Found:
    """Look at all that is known now."""
    instances = state.agents.instances(now_s)
    of_models = _by_model(instances.values())
    found = {
        model: engine_of(record, state.sent.get(model), instances, of_models.get(model, ()))
        for model, record in state.records.items()
    }
    by_model = {model: engine for model, engine in found.items() if engine}
    owned = {engine.instance_id for engine in by_model.values()}
    orphans = tuple(i for key, i in instances.items() if key not in owned)
    holdings, held_bytes = _claims(state, by_model.values(), orphans)
    return Found(by_model, orphans, holdings, held_bytes)


def engine_of(
    record: ModelRecord,
    sent: Sent | None,
    instances: Mapping[str, Instance],
    reported: Iterable[Instance],
) -> Engine | None:
    """The model's engine, with what commands on the way will make of it.

    `instances` are all that agents report, `reported` those of this model.
    """
    if sent and isinstance(sent.command, LoadModel):
        return _commanded(sent.command)
    engine = _recorded(record, instances) or _reported(record, reported)
    if engine and sent and sent.command.instance_id == engine.instance_id:
        wakes = isinstance(sent.command, WakeModel)
        return replace(engine, state=ModelState.LOADING if wakes else ModelState.UNLOADING)
    return engine


def _by_model(instances: Iterable[Instance]) -> Mapping[str, list[Instance]]:
    found: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        found[instance.model].append(instance)
    return found


def _claims(
    state: PlacementState, owned: Iterable[Engine], orphans: Iterable[Instance]
) -> tuple[Mapping[str, Sequence[Holding]], Mapping[str, int]]:
    holdings: defaultdict[str, list[Holding]] = defaultdict(list)
    held_bytes: dict[str, int] = {}
    for held in _all_holdings(state, owned, orphans):
        holdings[held.device_id].append(held)
        known = held_bytes.get(held.instance_id, 0)
        held_bytes[held.instance_id] = max(known, held.charged_bytes)
    return holdings, held_bytes


def _all_holdings(
    state: PlacementState, owned: Iterable[Engine], orphans: Iterable[Instance]
) -> Iterator[Holding]:
    for e in owned:
        for device_id in e.device_ids:
            yield _holding(e.instance_id, device_id, e.reserved_bytes, e.resident_bytes, e.state)
    for i in orphans:
        now = OF_INSTANCE[i.state]
        for device_id in i.device_ids:
            yield _holding(i.instance_id, device_id, i.reserved_bytes, i.resident_bytes, now)
    yield from state.left_behind.holdings()


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


def _reported(record: ModelRecord, instances: Iterable[Instance]) -> Engine | None:
    over = max(record.ended_generation, record.generation - 1)
    own = [instance for instance in instances if instance.generation > over]
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
