"""What a fact about one of several engines of a model makes of its record; pure.

The record tells of its best engine as if there were no other, and of the others in `copies`: an
engine that begins, fails or drains beside one that serves leaves the model loaded. Which engine is
the best is seen to after every event, so that one that serves takes over from one that does not,
and one of the files that are there now from one of older files. Requests go to engines of the same
files only.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from modelium.common import events as ev
from modelium.common.records import (
    Copy,
    FailureKind,
    InstanceEndpoint,
    InstanceState,
    ModelRecord,
    ModelState,
)
from modelium.registry import reasons
from modelium.registry.failing import BLAMELESS, FIRST_RETRY_S, LONGEST_RETRY_S
from modelium.registry.instances import instance_of

_WORTH: Final = (
    InstanceState.LOADED,
    InstanceState.LOADING,
    InstanceState.SLEEPING,
    InstanceState.UNLOADING,
)
"""The best first."""


def with_copy(record: ModelRecord, event: ev.RuntimeEvent, now: datetime) -> ModelRecord:
    """The record after a fact about an engine beside the one that it is about."""
    known = record.copy_of(event.generation)
    others = tuple(copy for copy in record.copies if copy is not known)
    change = _CHANGES.get(type(event))
    changed = (change(event, known, now),) if change else ()
    return record.model_copy(
        update={
            "copies": tuple(sorted((*others, *changed), key=lambda copy: copy.generation)),
            "copies_generation": max(record.copies_generation, event.generation),
            "copy_retry_at": _retry_at(record, event, now),
            **_of_replacement(record, event),
        }
    )


def arranged(record: ModelRecord, now: datetime) -> ModelRecord:
    """The same engines, the best of them first, and requests go to all that serve its files."""
    first = instance_of(record)
    engines = [*([_as_copy(record)] if first else []), *record.copies]
    if not engines:
        return record
    best = min(engines, key=lambda c: (_WORTH.index(c.state), record.are_older(c.fingerprint)))
    if not first or best.instance_id != first.instance_id:
        record = _with_first(record, best, now)
    others = tuple(copy for copy in engines if copy.instance_id != best.instance_id)
    alike = (best, *(copy for copy in others if _serves_the_same(copy, best)))
    endpoints = tuple(endpoint for copy in alike for endpoint in _endpoints(copy))
    return record.model_copy(update={"copies": others, "endpoints": endpoints})


def _serves_the_same(copy: Copy, best: Copy) -> bool:
    """A fingerprint that is not known says nothing."""
    return not (copy.fingerprint and best.fingerprint) or copy.fingerprint == best.fingerprint


def _of_replacement(record: ModelRecord, event: ev.RuntimeEvent) -> dict[str, Any]:
    """What is said of new files that did not load beside the engine of the old ones."""
    of_new = record.has_new_files and record.state is ModelState.LOADED
    if not isinstance(event, ev.RuntimeFailed) or not of_new or event.kind in BLAMELESS:
        return {}
    if event.fingerprint != record.fingerprint:
        return {}
    reason = reasons.new_files_failed(event.reason)
    return {"failed_fingerprint": record.fingerprint, "reason": reason}


def _with_first(record: ModelRecord, best: Copy, now: datetime) -> ModelRecord:
    """If the one before has failed, the next engine waits as long as its model would have to."""
    serves = best.state is InstanceState.LOADED
    return record.model_copy(
        update={
            "state": ModelState(best.state.value),
            "reason": _reason(best),
            "generation": best.generation,
            "instance_id": best.instance_id,
            "agent_id": best.agent_id,
            "device_ids": best.device_ids,
            "endpoint": best.endpoint,
            "loaded_fingerprint": best.fingerprint or None,
            "reserved_bytes": best.reserved_bytes,
            "resident_bytes": best.resident_bytes,
            "sleep_level": best.sleep_level,
            "load_s": record.load_s if best.load_s is None else best.load_s,
            "loaded_at": (best.loaded_at or now) if serves else None,
            "retry_at": None,
            "copy_retry_at": record.retry_at or record.copy_retry_at,
            "refused": False,
        }
    )


def _reason(best: Copy) -> str:
    match best.state:
        case InstanceState.LOADED:
            return ""
        case InstanceState.LOADING:
            return reasons.loading(best.device_ids)
        case InstanceState.SLEEPING:
            return reasons.asleep(best.sleep_level)
    return reasons.draining("")


def _as_copy(record: ModelRecord) -> Copy:
    shown = instance_of(record)
    assert shown is not None  # the caller has looked
    fields = shown.model_dump(exclude={"version", "updated_at"})
    return Copy.model_validate(fields | {"loaded_at": record.loaded_at})


def _endpoints(copy: Copy) -> list[InstanceEndpoint]:
    if copy.state is not InstanceState.LOADED or copy.endpoint is None:
        return []
    return [
        InstanceEndpoint(
            instance_id=copy.instance_id,
            generation=copy.generation,
            url=copy.endpoint,
            device_count=max(1, len(copy.device_ids)),
        )
    ]


def _retry_at(record: ModelRecord, event: ev.RuntimeEvent, now: datetime) -> datetime | None:
    """The model serves without it, so there is no hurry; whose agent was lost has not failed."""
    if not isinstance(event, ev.RuntimeFailed) or event.kind is FailureKind.LOST:
        return record.copy_retry_at
    blameless = event.kind in (FailureKind.CANCELLED, FailureKind.NO_ROOM)
    return now + timedelta(seconds=FIRST_RETRY_S if blameless else LONGEST_RETRY_S)


def _of(event: ev.RuntimeEvent, known: Copy | None, **changes: Any) -> Copy:
    engine = event.model_dump(
        include={"instance_id", "model", "agent_id", "device_ids", "generation"}
    )
    kept = known.model_dump() if known else {}
    return Copy.model_validate(kept | engine | {"endpoint": None} | changes)


def _loading(event: ev.RuntimeLoading, known: Copy | None, _now: datetime) -> Copy:
    bytes_ = event.reserved_bytes
    return _of(event, known, state=InstanceState.LOADING, reserved_bytes=bytes_)


def _loaded(event: ev.RuntimeLoaded, known: Copy | None, now: datetime) -> Copy:
    return _of(
        event,
        known,
        state=InstanceState.LOADED,
        endpoint=event.endpoint,
        fingerprint=event.fingerprint,
        load_s=event.load_s,
        reserved_bytes=event.reserved_bytes,
        resident_bytes=event.resident_bytes,
        loaded_at=(known and known.loaded_at) or now,
    )


def _sleeping(event: ev.RuntimeSleeping, known: Copy | None, _now: datetime) -> Copy:
    return _of(
        event,
        known,
        state=InstanceState.SLEEPING,
        resident_bytes=event.resident_bytes,
        sleep_level=event.sleep_level,
        loaded_at=None,
    )


def _unloading(event: ev.RuntimeUnloading, known: Copy | None, _now: datetime) -> Copy:
    return _of(event, known, state=InstanceState.UNLOADING)


# Each takes its own event class; a mapping of them cannot say that in types.
_CHANGES: Final[Mapping[type[ev.RuntimeEvent], Callable[[Any, Copy | None, datetime], Copy]]] = {
    ev.RuntimeLoading: _loading,
    ev.RuntimeLoaded: _loaded,
    ev.RuntimeSleeping: _sleeping,
    ev.RuntimeUnloading: _unloading,
}
