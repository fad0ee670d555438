"""What the core sees: the snapshot for `decide`. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelium.common.descriptor import RuntimeKind
from modelium.common.records import DeviceKind, InstanceState, ModelRecord, ModelState
from modelium.common.wishes import is_pinned
from modelium.core.ledger import free_bytes
from modelium.core.memory import needed_by_record
from modelium.core.policy import MemoryPolicy, Policy
from modelium.core.runtimes import obstacle
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from modelium.core.tensor_parallel import spans
from modelium.core.transitions import Expected
from modelium.orchestrator.copies import copy_retry_in_s, copy_view
from modelium.orchestrator.crowds import max_engines
from modelium.orchestrator.demand import ModelDemand
from modelium.orchestrator.engines import Engine, Found, find
from modelium.orchestrator.placement_state import PlacementState
from modelium.orchestrator.sleepers import asleep_view, hosts, sleep_views

NOT_YET: Final = {
    ModelState.DISCOVERED: "its files are waiting to be analysed",
    ModelState.ANALYZING: "its files are being analysed",
    ModelState.REJECTED: "its files cannot be served",
}


_SERVING: Final = frozenset({ModelState.LOADED, ModelState.LOADING})
_ON_DISK: Final = 2
"""The level of sleep at which an engine has no weights, and reads them again."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """By which numbers the state is looked at; the policy is another after an apply."""

    memory: MemoryPolicy
    policy: Policy
    runtimes: frozenset[RuntimeKind]
    """Those that are enabled."""


@dataclass(frozen=True, slots=True)
class _Moment:
    state: PlacementState
    numbers: Numbers
    now_s: float
    now: datetime
    found: Found
    largest: Mapping[DeviceKind, int]
    """The largest device of each kind, in bytes."""
    sleep_memory: Mapping[str, int]
    """Agent to the host memory that its sleeping engines may take."""
    expected: Mapping[str, Expected]
    """Model to the other that it mostly follows and that has just begun to be used."""


def snapshot(
    state: PlacementState,
    numbers: Numbers,
    now_s: float,
    now: datetime,
    found: Found | None = None,
) -> Snapshot:
    """Everything `decide` needs, with what is on its way already counted.

    `found` is what was found at this moment already, if it was.
    """
    largest: dict[DeviceKind, int] = {}
    for _, device in state.agents.devices(now_s):
        largest[device.kind] = max(largest.get(device.kind, 0), device.total_bytes)
    asleep = {beat.agent_id: beat.sleep_memory_bytes for beat in state.agents.alive(now_s)}
    found = found or find(state, now_s)
    expected = state.demand.transitions.expected(now_s)
    moment = _Moment(state, numbers, now_s, now, found, largest, asleep, expected)
    return Snapshot(
        models=tuple(_model(moment, record) for _, record in sorted(state.records.items())),
        devices=_devices(moment),
        hosts=hosts(state, found.by_model, numbers.memory, now_s),
        copies=tuple(
            copy_view(state, state.records[name], copy, found.held_bytes, now_s)
            for name, several in sorted(found.copies.items())
            for copy in several
        ),
    )


def _devices(moment: _Moment) -> tuple[DeviceView, ...]:
    busy = _busy_with_orphans(moment)
    return tuple(
        DeviceView(
            device_id=device.device_id,
            agent_id=agent_id,
            kind=device.kind,
            name=device.name,
            total_bytes=device.total_bytes,
            free_bytes=free_bytes(device, moment.found.holdings.get(device.device_id, ())),
            busy=device.device_id in busy,
        )
        for agent_id, device in moment.state.agents.devices(moment.now_s)
    )


def _busy_with_orphans(moment: _Moment) -> frozenset[str]:
    changing = {InstanceState.LOADING, InstanceState.UNLOADING}
    return frozenset(
        device_id
        for orphan in moment.found.orphans
        if orphan.state in changing or orphan.instance_id in moment.state.stopping
        for device_id in orphan.device_ids
    )


def _model(moment: _Moment, record: ModelRecord) -> ModelView:
    state, now_s = moment.state, moment.now_s
    engine = moment.found.by_model.get(record.model)
    demand = state.demand.of(record.model, now_s)
    loaded_for_s = state.loaded_for_s(record, now_s)
    deepest = moment.numbers.policy.deepest_sleep
    if record.has_new_files:
        deepest = min(deepest, _ON_DISK - 1)  # its own files are gone
    return ModelView(
        model=record.model,
        state=engine.state if engine else record.state,
        needed={kind: _needed(moment, record, kind) for kind in moment.largest},
        spans=_spans(moment, record),
        blocked=_blocked(moment, record),
        pinned=_is_pinned(moment, record),
        removed=record.removed,
        stale_files=_must_be_replaced(moment, record),
        new_files_failed=record.failed_fingerprint == (record.fingerprint or None),
        unload_requested=record.model in state.wishes.to_unload,
        sent_away=state.wishes.sent_away(record.model, demand.idle_s, now_s),
        sleep_requested=record.model in state.wishes.to_sleep,
        loaded_ahead_s=state.loaded_ahead.for_s(record.model, demand.idle_s, now_s),
        device_ids=engine.device_ids if engine else (),
        held_bytes=moment.found.held_bytes.get(engine.instance_id, 0) if engine else 0,
        waiting=demand.waiting,
        wanted_for_s=state.wishes.wanted_for_s(record.model, demand, now_s),
        in_flight=demand.in_flight,
        idle_s=demand.idle_s,
        loaded_for_s=loaded_for_s,
        retry_in_s=_retry_in_s(state, record, moment.now),
        rate_per_s=demand.rate_per_s,
        load_s=record.load_s,
        generation=record.generation,
        keep_alive_s=_keep_alive_s(moment.numbers.policy, demand, loaded_for_s),
        habit=demand.habit,
        expected=moment.expected.get(record.model),
        sleeps=sleep_views(record, _budget_bytes(moment, engine), deepest, moment.numbers.memory),
        asleep=asleep_view(record, engine.state if engine else record.state, moment.numbers.memory),
        max_engines=max_engines(record, moment.numbers.policy),
        crowded_for_s=state.crowds.crowded_for_s(record.model),
        calm_for_s=state.crowds.calm_for_s(record.model),
        copy_retry_in_s=copy_retry_in_s(record, moment.now),
    )


def _spans(moment: _Moment, record: ModelRecord) -> Mapping[int, int]:
    if record.descriptor is None or DeviceKind.CUDA not in moment.largest:
        return {}
    return spans(record.descriptor, moment.numbers.memory)


def _is_pinned(moment: _Moment, record: ModelRecord) -> bool:
    """By the settings, by what lies beside its files, or by an operator."""
    return is_pinned(record) or record.model in moment.numbers.policy.always_loaded


def _budget_bytes(moment: _Moment, engine: Engine | None) -> int:
    """Of host memory in which the engines of its agent may sleep."""
    return moment.sleep_memory.get(engine.agent_id, 0) if engine else 0


def _keep_alive_s(policy: Policy, demand: ModelDemand, loaded_for_s: float | None) -> float | None:
    """What was asked for since its engine serves: a new one starts with what the settings say.

    And so does one that another organisation has used as well, while the settings keep it longer:
    nobody's word shortens what others have.
    """
    if loaded_for_s is None or demand.keep_alive_age_s > loaded_for_s:
        return None
    settings_s = policy.evict_after_idle_s or math.inf
    others_idle_s = demand.others_idle_s
    if others_idle_s is None or others_idle_s > loaded_for_s or others_idle_s >= settings_s:
        return demand.keep_alive_s
    shortens = demand.keep_alive_s is not None and 0 <= demand.keep_alive_s < settings_s
    return None if shortens else demand.keep_alive_s


def _needed(moment: _Moment, record: ModelRecord, kind: DeviceKind) -> int:
    return needed_by_record(
        record,
        kind,
        moment.numbers.memory,
        moment.state.measurements,
        largest_bytes=moment.largest.get(kind, 0),
    )


def _must_be_replaced(moment: _Moment, record: ModelRecord) -> bool:
    """Whether its new files can be served, or it would read them when it wakes."""
    if not record.has_new_files:
        return False
    asleep_on_disk = record.state is ModelState.SLEEPING and record.sleep_level == _ON_DISK
    return asleep_on_disk or (record.files_analysed and not _blocked(moment, record))


def _blocked(moment: _Moment, record: ModelRecord) -> str:
    if record.removed:
        return "its files are gone"
    if record.state in NOT_YET:
        return NOT_YET[record.state]
    if record.descriptor is None:
        return "its files are not analysed"
    if record.has_new_files and not record.files_analysed and record.state in _SERVING:
        return "its new files are not analysed, or cannot be served"
    return obstacle(record.descriptor, moment.numbers.runtimes, moment.largest)


def _retry_in_s(state: PlacementState, record: ModelRecord, now: datetime) -> float:
    if (
        record.state is not ModelState.ERROR
        or record.retry_at is None
        or state.wishes.may_retry(record)
    ):
        return 0.0
    return max(0.0, (record.retry_at - now).total_seconds())
