"""An engine's own record, and how a heartbeat brings back what the store has lost; pure."""

from datetime import datetime

from modelium.common.events import RuntimeEvent, RuntimeLoaded, RuntimeSleeping
from modelium.common.records import (
    LIVE_STATES,
    Instance,
    InstanceEndpoint,
    InstanceRecord,
    InstanceState,
    ModelRecord,
)


def instance_of(record: ModelRecord | None) -> InstanceRecord | None:
    """The engine that the model's record tells of, or None."""
    if record is None or record.state not in LIVE_STATES or not record.instance_id:
        return None
    return InstanceRecord(
        instance_id=record.instance_id,
        model=record.model,
        agent_id=record.agent_id or "",
        device_ids=record.device_ids,
        generation=record.generation,
        state=InstanceState(record.state.value),
        endpoint=record.endpoint,
        fingerprint=record.loaded_fingerprint or "",
        reserved_bytes=record.reserved_bytes,
        resident_bytes=record.resident_bytes,
        load_s=record.load_s,
        sleep_s=record.sleep_s,
        wake_s=record.wake_s,
        sleep_level=record.sleep_level,
    )


def instances_of(record: ModelRecord | None) -> list[InstanceRecord]:
    """All engines that the model's record tells of."""
    first = instance_of(record)
    copies = record.copies if record else ()
    others = [InstanceRecord.model_validate(c.model_dump(exclude={"loaded_at"})) for c in copies]
    return [*([first] if first else []), *others]


def endpoint_of(loaded: RuntimeLoaded) -> InstanceEndpoint:
    """Where requests for a loaded engine go."""
    return InstanceEndpoint(
        instance_id=loaded.instance_id,
        generation=loaded.generation,
        url=loaded.endpoint,
        device_count=max(1, len(loaded.device_ids)),
    )


def may_adopt(instance: Instance) -> bool:
    """Whether the engine is one that a record should show; asked before the record is read."""
    if instance.state is InstanceState.LOADED:
        return instance.endpoint is not None
    return instance.state is InstanceState.SLEEPING


def adopted(
    record: ModelRecord | None, instance: Instance, *, seen_at: datetime
) -> RuntimeEvent | None:
    """The fact that the record lacks about an engine its agent reported at `seen_at`, or None.

    After the store has lost records, or an agent was thought lost, the engine may serve while its
    record shows another. What the record says of the same generation counts if it is newer than
    the report, and a drain always: its end is on its way.
    """
    if record is None or not may_adopt(instance) or _is_over(record, instance):
        return None
    shown = record.copy_of(instance.generation) or instance_of(record)
    known = instance.generation in (record.generation, shown and shown.generation)
    if known and not _is_outdated(record, shown, instance, seen_at):
        return None
    return _fact(instance, seen_at)


def _is_over(record: ModelRecord, instance: Instance) -> bool:
    if record.copy_of(instance.generation) is not None:
        return False
    if instance.generation == record.generation:
        return instance.generation <= record.ended_generation and record.state not in LIVE_STATES
    return instance.generation <= max(record.ended_generation, record.newest_generation)


def _is_outdated(
    record: ModelRecord, known: Instance | None, instance: Instance, seen_at: datetime
) -> bool:
    state = known.state.value if known else record.state.value
    if state == InstanceState.UNLOADING:
        return False
    if record.updated_at is not None and record.updated_at >= seen_at:
        return False
    shown = state, known.endpoint if known else record.endpoint
    endpoint = instance.endpoint if instance.state is InstanceState.LOADED else None
    return shown != (instance.state.value, endpoint)


def _fact(instance: Instance, seen_at: datetime) -> RuntimeEvent:
    engine = {
        "model": instance.model,
        "instance_id": instance.instance_id,
        "agent_id": instance.agent_id,
        "device_ids": instance.device_ids,
        "generation": instance.generation,
        "fingerprint": instance.fingerprint,
        "load_s": instance.load_s,
        "wake_s": instance.wake_s,
        "reserved_bytes": instance.reserved_bytes,
        "resident_bytes": instance.resident_bytes,
        "occurred_at": seen_at,
    }
    if instance.state is InstanceState.SLEEPING:
        asleep = {"sleep_level": instance.sleep_level or 1, "sleep_s": instance.sleep_s}
        return RuntimeSleeping.model_validate(engine | asleep)
    serves = {"endpoint": instance.endpoint, "memory": instance.memory}
    return RuntimeLoaded.model_validate(engine | serves)
