"""Which engine belongs to which model, and which belongs to none. Pure.

A model's engine is, in this order: the one a command on the way starts, the one its record names,
one that an agent reports while its event is still under way. Its copies are those that its record
names beside it, the one a command on the way starts, and newer ones than all that an agent reports.
An engine an agent reports beside these is an orphan: the registry has ended it, or has forgotten
its model.
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
    """Of all models that have one: the best one."""
    copies: Mapping[str, Sequence[Engine]]
    """Of all models that have more: those beside the best one."""
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
    for model, sent in state.copies_sent.items():
        if model in found and not found[model] and isinstance(sent.command, LoadModel):
            found[model] = _commanded(sent.command)  # the others have failed meanwhile
    by_model = {model: engine for model, engine in found.items() if engine}
    copies = _all_copies(state, by_model, of_models)
    owned = [*by_model.values(), *(copy for several in copies.values() for copy in several)]
    ids = {engine.instance_id for engine in owned}
    orphans = tuple(i for key, i in instances.items() if key not in ids)
    holdings, held_bytes = _claims(state, owned, orphans)
    return Found(by_model, copies, orphans, holdings, held_bytes)


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


def copies_of(
    record: ModelRecord, first: Engine | None, sent: Sent | None, reported: Iterable[Instance]
) -> list[Engine]:
    """The model's engines beside `first`, with what the command on the way will make of them."""
    now = {instance.instance_id: instance for instance in reported}
    known = {
        c.instance_id: _of_instance(_measured(c, now.get(c.instance_id))) for c in record.copies
    }
    if record.state in LIVE_STATES:
        newer = (i for i in now.values() if i.generation > record.newest_generation)
        known |= {i.instance_id: _of_instance(i) for i in newer}
    if sent is not None:
        instance_id = sent.command.instance_id
        if isinstance(sent.command, LoadModel):
            known[instance_id] = _commanded(sent.command)
        elif instance_id in known:
            known[instance_id] = replace(known[instance_id], state=ModelState.UNLOADING)
    return [e for key, e in known.items() if first is None or key != first.instance_id]


def _all_copies(
    state: PlacementState,
    by_model: Mapping[str, Engine],
    of_models: Mapping[str, Sequence[Instance]],
) -> dict[str, list[Engine]]:
    """Most models have none, and nothing that could be one."""
    several = {model for model, reported in of_models.items() if len(reported) > 1}
    several |= {model for model, record in state.records.items() if record.copies}
    several |= state.copies_sent.keys()
    found = {
        model: copies_of(
            state.records[model],
            by_model.get(model),
            state.copies_sent.get(model),
            of_models.get(model, ()),
        )
        for model in several & state.records.keys()
    }
    return {model: engines for model, engines in found.items() if engines}


def _measured(copy: Instance, reported: Instance | None) -> Instance:
    if reported is None:
        return copy
    return copy.model_copy(update={"resident_bytes": reported.resident_bytes})


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
    own = [instance for instance in instances if _may_be(record, instance)]
    if not own:
        return None
    return _of_instance(max(own, key=lambda i: i.generation))


def _may_be(record: ModelRecord, instance: Instance) -> bool:
    """Whether it is newer than all that is known, or the last one, come back."""
    known = max(record.ended_generation, record.newest_generation)
    last = instance.generation == record.generation > record.ended_generation
    return last or instance.generation > known


def _of_instance(instance: Instance) -> Engine:
    return Engine(
        instance.instance_id,
        instance.agent_id,
        instance.generation,
        OF_INSTANCE[instance.state],
        instance.device_ids,
        instance.reserved_bytes,
        instance.resident_bytes,
    )
