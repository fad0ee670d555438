"""One row of what is followed live, made of what is known. Pure.

Each row has a key beside it: as long as the key is the same, so is the row, and it is not told
again. Time that merely passes changes a key only now and then.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelium.common.events import AgentHeartbeat
from modelium.common.records import Device, Instance, InstanceState, ModelRecord, ModelState
from modelium.gateway.edge.paths import routes_of
from modelium.gateway.live.documents import LiveDevice, LiveEngine, LiveModel
from modelium.gateway.live.figures import Figures

_GROWN_BY: Final = 1.2
"""What merely passes or comes nearer is told again when it is by this longer or shorter."""
_REPORTED_STEP_S: Final = 10
_USED_STEPS: Final = 1000
"""Of a device's memory: less than such a part more or less in use is no news."""
_ORDER: Final = tuple(InstanceState)


@dataclass(frozen=True, slots=True)
class ModelNow:
    """All that a model's row is made of."""

    record: ModelRecord
    figures: Figures
    eta_s: int | None
    pinned: bool
    can_sleep: bool
    load_started_at: datetime | None
    expected_load_s: float | None


def model_key(now: ModelNow) -> tuple[object, ...]:
    """What the row depends on."""
    figures = now.figures
    return (
        now.record.version,
        now.record.updated_at,
        _eta_key(now),
        now.pinned,
        now.can_sleep,
        now.load_started_at,
        round(figures.requests_per_second, 2),
        figures.p50_s,
        figures.p99_s,
        figures.in_flight,
        figures.waiting,
        round(figures.oldest_wait_s),
        _step(figures.idle_s),
    )


def _eta_key(now: ModelNow) -> int | None:
    """Every second for those that wait for it; of others it only says how it would be."""
    waited_for = now.figures.waiting or now.record.state is ModelState.LOADING
    return now.eta_s if waited_for else _step(now.eta_s)


def _step(seconds: float | None) -> int | None:
    return None if seconds is None else int(math.log(1 + seconds, _GROWN_BY))


def live_model(now: ModelNow) -> LiveModel:
    """The row."""
    record, figures, about = now.record, now.figures, now.record.descriptor
    servable = record.state is not ModelState.REJECTED
    return LiveModel(
        model=record.model,
        state=record.state,
        reason=record.reason,
        eta_s=now.eta_s,
        runtime=about.runtime if about and servable else None,
        task=about.task if about else None,
        capabilities=routes_of(about) if servable else (),
        pinned=now.pinned,
        requests_per_second=round(figures.requests_per_second, 2),
        p50_ms=_ms(figures.p50_s),
        p99_ms=_ms(figures.p99_s),
        in_flight=figures.in_flight,
        waiting=figures.waiting,
        oldest_wait_s=round(figures.oldest_wait_s, 1),
        idle_s=_seconds(figures.idle_s),
        size_bytes=record.size_bytes,
        reserved_bytes=record.reserved_bytes,
        resident_bytes=record.resident_bytes,
        agent_id=record.agent_id,
        device_ids=record.device_ids,
        loaded_at=record.loaded_at,
        load_started_at=now.load_started_at,
        expected_load_s=now.expected_load_s,
        failures=record.failures,
        retry_at=record.retry_at,
        generation=record.generation,
        copies=len(record.copies),
        can_sleep=now.can_sleep,
    )


def idle_as_of_now(row: LiveModel, figures: Figures) -> LiveModel:
    """The row with an idle time that is not left behind."""
    return row.model_copy(update={"idle_s": _seconds(figures.idle_s)})


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def device_key(device: Device, beat: AgentHeartbeat) -> tuple[object, ...]:
    """What the row depends on."""
    used = round(_used_bytes(device) * _USED_STEPS / max(1, device.total_bytes))
    return (
        device.model_copy(update={"free_bytes": 0, "used_bytes": used}),
        int(beat.occurred_at.timestamp()) // _REPORTED_STEP_S,
        tuple(i for i in beat.instances if device.device_id in i.device_ids),
    )


def live_device(device: Device, beat: AgentHeartbeat) -> LiveDevice:
    """The row, with the engines of all models."""
    return LiveDevice(
        device_id=device.device_id,
        agent_id=beat.agent_id,
        name=device.name,
        kind=device.kind,
        total_bytes=device.whole_bytes or device.total_bytes,
        budget_bytes=device.total_bytes,
        used_bytes=_used_bytes(device),
        utilization=device.utilization,
        reported_at=beat.occurred_at,
        engines=tuple(_engine(i) for i in beat.instances if device.device_id in i.device_ids),
    )


def _used_bytes(device: Device) -> int:
    if device.used_bytes is not None:
        return device.used_bytes
    return max(0, device.total_bytes - device.free_bytes)


def _engine(instance: Instance) -> LiveEngine:
    return LiveEngine(
        instance_id=instance.instance_id,
        model=instance.model,
        state=instance.state,
        reserved_bytes=instance.reserved_bytes,
        resident_bytes=instance.resident_bytes,
    )


def shown(device: LiveDevice, visible: Callable[[str], bool]) -> LiveDevice:
    """The row with the engines of these models; those of others as one, so that sums are right."""
    others = [engine for engine in device.engines if not visible(engine.model)]
    if not others:
        return device
    together = LiveEngine(
        instance_id="",
        model="",
        state=min((engine.state for engine in others), key=_busiest),
        reserved_bytes=sum(engine.reserved_bytes for engine in others),
        resident_bytes=sum(engine.resident_bytes for engine in others),
    )
    engines = (*(engine for engine in device.engines if visible(engine.model)), together)
    return device.model_copy(update={"engines": engines})


def _busiest(state: InstanceState) -> int:
    return (InstanceState.LOADED, *_ORDER).index(state)
