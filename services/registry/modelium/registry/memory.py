"""What an engine's load, growth or end says of the memory that its model needs; pure.

Figures are without the key-value cache, whose size is a setting: an engine that is ready holds all
of it, on a CPU too (measured: 768 MiB more of cache were 767 MiB more of memory, unused).
"""

from modelium.common.events import RuntimeFailed, RuntimeLoaded
from modelium.common.records import (
    EngineMemory,
    FailureKind,
    Instance,
    InstanceState,
    MemoryRecord,
    memory_id,
)

Told = RuntimeLoaded | RuntimeFailed | Instance


def id_of(told: Told) -> str | None:
    """Which figure it changes; None: it says nothing of memory.

    What an engine holds of several devices says nothing of what one would have to hold.
    """
    if told.memory is None or not told.fingerprint or len(told.device_ids) > 1:
        return None
    if not _says_something(told, told.memory):
        return None
    return memory_id(_content(told, told.memory), told.memory.engine, told.memory.device_kind)


def after(known: MemoryRecord | None, told: Told) -> MemoryRecord | None:
    """The figure with what was told, for whose id `id_of` was asked; the same when nothing is new.

    An engine that was counted is not counted again, however often it is announced.
    """
    if told.memory is None:
        return known
    record = known or _first(told, told.memory)
    match told:
        case RuntimeFailed():
            outgrown = max(record.outgrown_bytes, _beside(told.reserved_bytes, told.memory))
            return record.model_copy(update={"outgrown_bytes": outgrown})
        case RuntimeLoaded() if told.instance_id != record.last_instance_id:
            return _counted(record, told, told.memory)
    grown = max(record.highest_bytes, _beside(told.resident_bytes, told.memory))
    return record.model_copy(update={"highest_bytes": grown}) if record.loads else known


def has_grown(told: Instance, loaded_with_bytes: int) -> bool:
    """Whether an engine that serves holds more than when it was loaded."""
    return told.state is InstanceState.LOADED and told.resident_bytes > loaded_with_bytes


def _content(told: Told, memory: EngineMemory) -> str:
    """A copy of the same model elsewhere takes as much; without such a print, files stand alone."""
    return memory.content_fingerprint or told.fingerprint


def _says_something(told: Told, memory: EngineMemory) -> bool:
    """Who seems to hold less than its weights and its cache was not measured, or not yet."""
    certain = memory.weight_bytes + memory.kv_cache_bytes
    if isinstance(told, RuntimeFailed):
        return told.kind is FailureKind.OUT_OF_MEMORY and told.reserved_bytes > certain
    return told.resident_bytes > certain


def _first(told: Told, memory: EngineMemory) -> MemoryRecord:
    return MemoryRecord(
        fingerprint=_content(told, memory),
        engine=memory.engine,
        device_kind=memory.device_kind,
        estimated_bytes=_beside(told.reserved_bytes, memory),
        weight_bytes=memory.weight_bytes,
    )


def _counted(record: MemoryRecord, loaded: RuntimeLoaded, memory: EngineMemory) -> MemoryRecord:
    held = _beside(loaded.resident_bytes, memory)
    return record.model_copy(
        update={
            "loads": record.loads + 1,
            "last_instance_id": loaded.instance_id,
            "last_bytes": held,
            "highest_bytes": max(record.highest_bytes, held),
            "weight_bytes": memory.weight_bytes,
        }
    )


def _beside(bytes_: int, memory: EngineMemory) -> int:
    return max(0, bytes_ - memory.kv_cache_bytes)
