"""What an event makes of a model's record; pure.

`lifecycle.py` says which state follows; here is what else changes, and which events change nothing:
repeats, facts of an ended or superseded load attempt, and facts about other files than the
record's. Who stores and announces the result is `handlers.py`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from modelium.common import events as ev
from modelium.common.figures import DecidedAction, Decision
from modelium.common.lifecycle import next_state
from modelium.common.records import LIVE_STATES, FailureKind, ModelRecord, ModelState
from modelium.registry import reasons
from modelium.registry.instances import endpoint_of

FilesEvent = (
    ev.ModelDiscovered | ev.ModelAnalyzing | ev.ModelAnalyzed | ev.ModelRejected | ev.ModelRemoved
)
Event = FilesEvent | ev.RuntimeEvent
Changes = dict[str, Any]

FIRST_RETRY_S: Final = 10.0
LONGEST_RETRY_S: Final = 300.0

_NO_ENGINE: Final[Mapping[str, Any]] = {
    "instance_id": None,
    "agent_id": None,
    "device_ids": (),
    "endpoint": None,
    "endpoints": (),
    "loaded_fingerprint": None,
    "reserved_bytes": 0,
    "resident_bytes": 0,
    "loaded_at": None,
}
_NEVER_FAILED: Final[Mapping[str, Any]] = {"failures": 0, "retry_at": None}
_NEW_FILES: Final[Mapping[str, Any]] = {**_NEVER_FAILED, "refused": False}
_DECIDED_BY_ENGINE: Final = frozenset(
    {ModelState.LOADED, ModelState.LOADING, ModelState.UNLOADING, ModelState.REJECTED}
)
"""States whose reason a decision does not replace."""


def is_live(record: ModelRecord) -> bool:
    """Whether an engine of the model may hold memory."""
    return record.state in LIVE_STATES


def is_news(record: ModelRecord | None, event: Event) -> bool:
    """False when the event changes nothing, and the record is only to be announced again."""
    if record is None:
        return isinstance(event, ev.ModelDiscovered) and bool(event.model and event.fingerprint)
    if isinstance(event, ev.RuntimeEvent):
        return _is_engine_news(record, event)
    if isinstance(event, ev.ModelDiscovered):
        return _is_discovery_news(record, event)
    return event.path == record.path and _is_files_news(record, event)


def _is_discovery_news(record: ModelRecord, event: ev.ModelDiscovered) -> bool:
    """The watcher completes an event without a name or fingerprint and publishes it again.

    A model keeps its name as long as its files are there: the same name from another path is
    heard only when they are gone or cannot be served.
    """
    if not (event.model and event.fingerprint):
        return False
    if event.path != record.path:
        return record.removed or record.state == ModelState.REJECTED
    return record.removed or event.fingerprint != record.fingerprint


def _is_files_news(record: ModelRecord, event: FilesEvent) -> bool:
    match event:
        case ev.ModelAnalyzing():
            same = event.fingerprint == record.fingerprint
            return same and record.state == ModelState.DISCOVERED
        case ev.ModelAnalyzed():
            return _is_analysis_news(record, event)
        case ev.ModelRejected():
            other = event.fingerprint not in ("", record.fingerprint)
            known = record.state == ModelState.REJECTED and record.reason == event.reason
            return not other and not known
    return not record.removed


def _is_analysis_news(record: ModelRecord, event: ev.ModelAnalyzed) -> bool:
    """An analysis of files that have changed since is late, unless it heals what did not work."""
    if event.fingerprint != record.fingerprint:
        return record.state in (ModelState.ERROR, ModelState.REJECTED)
    unfinished = (ModelState.DISCOVERED, ModelState.ANALYZING, ModelState.REJECTED)
    return record.state in unfinished or record.descriptor != event.descriptor


def _is_engine_news(record: ModelRecord, event: ev.RuntimeEvent) -> bool:
    if event.generation <= record.ended_generation or event.generation < record.generation:
        return False
    same = event.generation == record.generation
    match event:
        case ev.RuntimeLoading():
            return not same or record.state not in (ModelState.LOADED, ModelState.UNLOADING)
        case ev.RuntimeFailed(kind=FailureKind.LOST):
            return same and is_live(record)
    return True


def apply(record: ModelRecord | None, event: Event, now: datetime) -> ModelRecord | None:
    """The record after an event that is news; None: the model is forgotten.

    Raises:
        IllegalTransition: the lifecycle does not allow the event in the record's state.
    """
    state = next_state(record.state if record else None, type(event))
    if state is None:
        return None
    if record is None:
        return _first(event, state, now)
    changes = _CHANGES[type(event)](record, event, now)
    # Records of before there was `discovered_at` get it late.
    always = {"state": state, "discovered_at": record.discovered_at or now}
    changed = record.model_copy(update=changes | always)
    return changed if is_live(changed) else _at_rest(changed)


def _first(event: Event, state: ModelState, now: datetime) -> ModelRecord:
    if not isinstance(event, ev.ModelDiscovered) or event.model is None:
        raise TypeError(f"{type(event).__name__} cannot be the first of a model")
    return ModelRecord(
        model=event.model,
        state=state,
        reason=reasons.NOT_ANALYSED,
        path=event.path,
        fingerprint=event.fingerprint,
        size_bytes=event.size_bytes,
        discovered_at=now,
    )


def _at_rest(record: ModelRecord) -> ModelRecord | None:
    """A model without an engine: forgotten if its files are gone.

    Files that changed while the engine ran and could not be served leave no descriptor: they are
    to be analysed once more, which brings their reason back.
    """
    if record.removed:
        return None
    if record.descriptor is None and record.state in (ModelState.UNLOADED, ModelState.ERROR):
        state = next_state(record.state, ev.ModelDiscovered)
        return record.model_copy(update={"state": state, "reason": reasons.NOT_ANALYSED})
    return record


def after_decision(decision: Decision, record: ModelRecord | None) -> ModelRecord | None:
    """The record with the reason why it has to wait, if the decision says one."""
    if record is None:
        return None
    heard = decision.action is DecidedAction.QUEUE and decision.dropped_by is None
    if not heard or not decision.reason or record.state in _DECIDED_BY_ENGINE:
        return record
    return record.model_copy(update={"reason": decision.reason, "refused": decision.refused})


def _discovered(record: ModelRecord, event: ev.ModelDiscovered, _now: datetime) -> Changes:
    files = {
        "path": event.path,
        "fingerprint": event.fingerprint,
        "size_bytes": event.size_bytes,
        "removed": False,
        **_NEW_FILES,
    }
    if is_live(record):
        return files
    return files | {"descriptor": None, "reason": reasons.NOT_ANALYSED}


def _analyzing(_record: ModelRecord, _event: ev.ModelAnalyzing, _now: datetime) -> Changes:
    return {"reason": reasons.ANALYSING}


def _analyzed(record: ModelRecord, event: ev.ModelAnalyzed, _now: datetime) -> Changes:
    files = {
        "fingerprint": event.fingerprint,
        "size_bytes": event.size_bytes,
        "descriptor": event.descriptor,
        **_NEW_FILES,
    }
    return files if is_live(record) else files | {"reason": reasons.NOT_REQUESTED}


def _rejected(record: ModelRecord, event: ev.ModelRejected, _now: datetime) -> Changes:
    return {"descriptor": None} if is_live(record) else {"descriptor": None, "reason": event.reason}


def _removed(record: ModelRecord, _event: ev.ModelRemoved, _now: datetime) -> Changes:
    serving = record.state == ModelState.LOADED
    return {"removed": True, "reason": "" if serving else reasons.FILES_GONE}


def _engine(event: ev.RuntimeEvent) -> Changes:
    return {
        "generation": event.generation,
        "instance_id": event.instance_id,
        "agent_id": event.agent_id,
        "device_ids": event.device_ids,
        "endpoint": None,
        "endpoints": (),
        "refused": False,
    }


def _loading(record: ModelRecord, event: ev.RuntimeLoading, _now: datetime) -> Changes:
    woken = event.generation == record.generation
    return _engine(event) | {
        "reserved_bytes": event.reserved_bytes,
        "resident_bytes": record.resident_bytes if woken else 0,
        "loaded_fingerprint": record.loaded_fingerprint if woken else None,
        "loaded_at": None,
        "retry_at": None,
        "reason": reasons.loading(event.device_ids),
    }


def _loaded(record: ModelRecord, event: ev.RuntimeLoaded, now: datetime) -> Changes:
    repeated = record.state == ModelState.LOADED and event.generation == record.generation
    return _engine(event) | {
        "endpoint": event.endpoint,
        "endpoints": (endpoint_of(event),),
        "loaded_fingerprint": event.fingerprint or record.fingerprint,
        "load_s": record.load_s if event.load_s is None else event.load_s,
        "reserved_bytes": event.reserved_bytes,
        "resident_bytes": event.resident_bytes,
        "loaded_at": record.loaded_at if repeated else now,
        "reason": "",
        **_NEVER_FAILED,
    }


def _sleeping(_record: ModelRecord, event: ev.RuntimeSleeping, _now: datetime) -> Changes:
    sleeps = {"resident_bytes": event.resident_bytes, "loaded_at": None, "reason": reasons.ASLEEP}
    return _engine(event) | sleeps


def _unloading(_record: ModelRecord, event: ev.RuntimeUnloading, _now: datetime) -> Changes:
    return _engine(event) | {"reason": reasons.draining(event.reason)}


def _ended(event: ev.RuntimeEvent) -> Changes:
    ended = {"generation": event.generation, "ended_generation": event.generation}
    return {**_NO_ENGINE, **ended}


def _unloaded(record: ModelRecord, event: ev.RuntimeUnloaded, _now: datetime) -> Changes:
    had_engine = is_live(record) or record.state == ModelState.ERROR
    return _ended(event) | ({"reason": reasons.unloaded(event.reason)} if had_engine else {})


def _failed(record: ModelRecord, event: ev.RuntimeFailed, now: datetime) -> Changes:
    """An engine whose agent is lost may come back, so its generation is not over."""
    end = dict(_NO_ENGINE) if event.kind is FailureKind.LOST else _ended(event)
    if event.kind is FailureKind.CANCELLED:
        return end | {"reason": reasons.failed(event.reason, None)}
    failures = record.failures + 1
    wait_s = retry_delay_s(failures)
    return end | {
        "failures": failures,
        "retry_at": now + timedelta(seconds=wait_s),
        "reason": reasons.failed(event.reason, wait_s),
    }


def retry_delay_s(failures: int) -> float:
    """How long the next load waits after `failures` in a row: 10 s, doubled each time, to 300 s."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)


# Each takes its own event class; a mapping of them cannot say that in types.
_CHANGES: Final[Mapping[type[ev.Message], Callable[[ModelRecord, Any, datetime], Changes]]] = {
    ev.ModelDiscovered: _discovered,
    ev.ModelAnalyzing: _analyzing,
    ev.ModelAnalyzed: _analyzed,
    ev.ModelRejected: _rejected,
    ev.ModelRemoved: _removed,
    ev.RuntimeLoading: _loading,
    ev.RuntimeLoaded: _loaded,
    ev.RuntimeSleeping: _sleeping,
    ev.RuntimeUnloading: _unloading,
    ev.RuntimeUnloaded: _unloaded,
    ev.RuntimeFailed: _failed,
}
