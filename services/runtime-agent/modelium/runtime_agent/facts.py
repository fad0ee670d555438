"""Makes the facts that an agent announces about an engine; pure."""

from typing import Any, TypeVar

from modelium.common.events import (
    RuntimeEvent,
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloaded,
    RuntimeUnloading,
    UnloadModel,
)
from modelium.common.records import EngineMemory, Instance, InstanceState
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.journal import Entry
from modelium.runtime_agent.launcher import EngineRecord

E = TypeVar("E", bound=RuntimeEvent)
LOG_LINES = 50


def fact(kind: type[E], engine: EngineRecord | Instance, /, **more: Any) -> E:
    """An event of `kind` about this engine; `more` are the event's own fields."""
    return kind(
        model=engine.model,
        instance_id=engine.instance_id,
        agent_id=engine.agent_id,
        device_ids=engine.device_ids,
        generation=engine.generation,
        **more,
    )


def unloaded(command: UnloadModel) -> RuntimeUnloaded:
    """What is said of an engine that is not there to be unloaded."""
    return RuntimeUnloaded(
        model=command.model,
        instance_id=command.instance_id,
        agent_id=command.agent_id,
        device_ids=(),
        generation=command.generation,
        reason=command.reason,
    )


def memory_of(record: EngineRecord, engine: str) -> EngineMemory:
    """What decides its memory; `engine` is its kind and version, empty while it has not said it."""
    return EngineMemory(
        engine=engine or str(record.runtime),
        device_kind=record.device_kind,
        weight_bytes=record.weight_bytes,
        kv_cache_bytes=record.kv_cache_bytes,
        content_fingerprint=record.content_fingerprint,
    )


def failed(
    record: EngineRecord, failure: Failure, log: tuple[str, ...] = (), *, engine: str = ""
) -> RuntimeFailed:
    """The end of an engine that nobody asked to end; `engine` as for `memory_of`."""
    return fact(
        RuntimeFailed,
        record,
        kind=failure.kind,
        reason=failure.reason,
        log_tail=log[-LOG_LINES:],
        fingerprint=record.fingerprint,
        reserved_bytes=record.reserved_bytes,
        memory=memory_of(record, engine),
    )


def instance_of(engine: Entry, endpoint: str | None) -> Instance:
    """The engine as the journal has it, serving at `endpoint`."""
    record = engine.record
    return Instance(
        instance_id=record.instance_id,
        model=record.model,
        agent_id=record.agent_id,
        device_ids=record.device_ids,
        generation=record.generation,
        state=engine.state,
        endpoint=endpoint,
        fingerprint=record.fingerprint,
        reserved_bytes=record.reserved_bytes,
        resident_bytes=engine.resident_bytes,
        load_s=engine.load_s,
        sleep_s=engine.sleep_s,
        wake_s=engine.wake_s,
        sleep_level=engine.sleep_level,
        memory=memory_of(record, engine.engine),
    )


def state_of(engine: Instance, unload_reason: str) -> RuntimeEvent:
    """What an engine's present state is announced with, the first time and again."""
    resident, reserved = engine.resident_bytes, engine.reserved_bytes
    match engine.state:
        case InstanceState.LOADING:
            return fact(RuntimeLoading, engine, reserved_bytes=reserved)
        case InstanceState.SLEEPING:
            return fact(
                RuntimeSleeping,
                engine,
                sleep_level=engine.sleep_level or 1,
                resident_bytes=resident,
                fingerprint=engine.fingerprint,
                load_s=engine.load_s,
                sleep_s=engine.sleep_s,
                wake_s=engine.wake_s,
                reserved_bytes=reserved,
            )
        case InstanceState.UNLOADING:
            return fact(RuntimeUnloading, engine, reason=unload_reason)
        case InstanceState.LOADED:
            return fact(
                RuntimeLoaded,
                engine,
                endpoint=engine.endpoint or "",
                fingerprint=engine.fingerprint,
                load_s=engine.load_s,
                wake_s=engine.wake_s,
                reserved_bytes=reserved,
                resident_bytes=resident,
                memory=engine.memory,
            )
