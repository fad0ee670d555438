"""What an event makes of a model's record; pure.

`lifecycle.py` says which state follows; here is what else changes. Which events change nothing is
in `news.py`; who stores and announces the result is `handlers.py`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from modelium.common import events as ev
from modelium.common.figures import DecidedAction, Decision
from modelium.common.lifecycle import next_state
from modelium.common.records import FailureKind, ModelRecord, ModelState
from modelium.registry import reasons, wishes
from modelium.registry.copies import arranged, with_copy
from modelium.registry.failing import NEVER_FAILED, NEVER_TRIED, after_failure, after_unload
from modelium.registry.instances import endpoint_of
from modelium.registry.news import Event, is_live, is_of_copy

Changes = dict[str, Any]

_NO_ENGINE: Final[Mapping[str, Any]] = {
    "instance_id": None,
    "agent_id": None,
    "device_ids": (),
    "endpoint": None,
    "endpoints": (),
    "loaded_fingerprint": None,
    "reserved_bytes": 0,
    "resident_bytes": 0,
    "sleep_level": 0,
    "loaded_at": None,
}
_NEW_FILES: Final[Mapping[str, Any]] = {**NEVER_FAILED, "refused": False}
_NEVER_SLEPT: Final[Mapping[str, Any]] = {
    "sleep_s": None,
    "wake_s": None,
    "slept_at_level": 0,
    "asleep_bytes": 0,
    "sleepless": "",
}
_DECIDED_BY_ENGINE: Final = frozenset(
    {ModelState.LOADED, ModelState.LOADING, ModelState.UNLOADING, ModelState.REJECTED}
)
"""States whose reason a decision does not replace."""


def apply(record: ModelRecord | None, event: Event, now: datetime) -> ModelRecord | None:
    """The record after an event that is news; None: the model is forgotten.

    Raises:
        IllegalTransition: the lifecycle does not allow the event in the record's state.
    """
    if record and isinstance(event, ev.RuntimeEvent) and is_of_copy(record, event):
        return arranged(with_copy(record, event, now), now)
    state = next_state(record.state if record else None, type(event))
    if state is None:
        return None
    if record is None:
        return _first(event, state, now)
    changes = _CHANGES[type(event)](record, event, now)
    # Records of before there was `discovered_at` get it late.
    always = {"state": state, "discovered_at": record.discovered_at or now}
    changed = record.model_copy(update=changes | always)
    if changed.copies:
        changed = arranged(changed, now)
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

    Files that changed while the engine ran and could not be served, or are not analysed yet, are to
    be analysed once more, which brings their reason back.
    """
    if record.removed:
        return None
    known = record.descriptor is not None and record.files_analysed
    if not known and record.state in (ModelState.UNLOADED, ModelState.ERROR):
        state = next_state(record.state, ev.ModelDiscovered)
        return record.model_copy(
            update={"state": state, "descriptor": None, "reason": reasons.NOT_ANALYSED}
        )
    return record


def after_decision(decision: Decision, record: ModelRecord | None) -> ModelRecord | None:
    """The record with the reason why it has to wait, if the decision says one."""
    if record is None:
        return None
    heard = decision.action is DecidedAction.QUEUE and decision.dropped_by is None
    if not heard or not decision.reason or record.state in _DECIDED_BY_ENGINE:
        return record
    return record.model_copy(
        update={
            "reason": decision.reason,
            "refused": decision.refused,
            "wait_bound_s": decision.wait_bound_s or record.wait_bound_s,
        }
    )


def _discovered(record: ModelRecord, event: ev.ModelDiscovered, _now: datetime) -> Changes:
    files = {
        "path": event.path,
        "fingerprint": event.fingerprint,
        "size_bytes": event.size_bytes,
        "removed": False,
        "files_analysed": False,
        "files_rejected": False,
        **_new_files(record, event.fingerprint),
    }
    if is_live(record):
        return files | _of_new_files(record, event.fingerprint, reasons.NEW_FILES)
    return files | {"descriptor": None, "reason": reasons.NOT_ANALYSED}


def _new_files(record: ModelRecord, fingerprint: str) -> Changes:
    """How well an engine slept says nothing about one of other files."""
    same = fingerprint == record.fingerprint
    return dict(_NEW_FILES) if same else {**_NEW_FILES, **_NEVER_SLEPT, **NEVER_TRIED}


def _of_new_files(record: ModelRecord, fingerprint: str, reason: str) -> Changes:
    """What is said of files while an engine serves; none where these are what it serves."""
    if record.state is not ModelState.LOADED:
        return {}
    others = fingerprint and record.loaded_fingerprint not in (None, "", fingerprint)
    return {"reason": reason if others else ""}


def _analyzing(_record: ModelRecord, _event: ev.ModelAnalyzing, _now: datetime) -> Changes:
    return {"reason": reasons.ANALYSING}


def _analyzed(record: ModelRecord, event: ev.ModelAnalyzed, _now: datetime) -> Changes:
    files = {
        "fingerprint": event.fingerprint,
        "size_bytes": event.size_bytes,
        "descriptor": event.descriptor,
        "planned": record.planned if record.descriptor == event.descriptor else None,
        "files_analysed": True,
        "files_rejected": False,
        **_new_files(record, event.fingerprint),
    }
    if is_live(record):
        return files | _of_new_files(record, event.fingerprint, reasons.REPLACED)
    return files | {"reason": reasons.NOT_REQUESTED}


def _rejected(record: ModelRecord, event: ev.ModelRejected, _now: datetime) -> Changes:
    """While an engine serves, the descriptor stays that of what it serves: see `_at_rest`."""
    files = {"files_analysed": False, "files_rejected": True}
    if is_live(record):
        reason = reasons.new_files_refused(event.reason)
        return files | _of_new_files(record, record.fingerprint, reason)
    return files | {"descriptor": event.descriptor, "reason": event.reason}


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
        "sleep_level": record.sleep_level if woken else 0,
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
        **_durations(record, event),
        "reserved_bytes": event.reserved_bytes,
        "resident_bytes": event.resident_bytes,
        "sleep_level": 0,
        "loaded_at": record.loaded_at if repeated else now,
        "reason": record.reason if repeated else "",
        "retry_at": None,
    }


def _durations(record: ModelRecord, event: ev.RuntimeLoaded | ev.RuntimeSleeping) -> Changes:
    return {
        "load_s": record.load_s if event.load_s is None else event.load_s,
        "wake_s": record.wake_s if event.wake_s is None else event.wake_s,
    }


def _at_another_level(record: ModelRecord, event: ev.RuntimeSleeping) -> Changes:
    """How long a wake from another level took says nothing of this one."""
    if record.slept_at_level == event.sleep_level:
        return {}
    return {"slept_at_level": event.sleep_level, "wake_s": None}


def _sleeping(record: ModelRecord, event: ev.RuntimeSleeping, _now: datetime) -> Changes:
    files = event.fingerprint or record.loaded_fingerprint
    return _engine(event) | {
        **_durations(record, event),
        "loaded_fingerprint": files,
        "reserved_bytes": event.reserved_bytes or record.reserved_bytes,
        "resident_bytes": event.resident_bytes,
        "sleep_level": event.sleep_level,
        "sleep_s": event.sleep_s,
        **_at_another_level(record, event),
        "asleep_bytes": event.resident_bytes,
        "loaded_at": None,
        "reason": reasons.asleep(event.sleep_level),
        **NEVER_FAILED,
    }


def _unloading(_record: ModelRecord, event: ev.RuntimeUnloading, _now: datetime) -> Changes:
    return _engine(event) | {"reason": reasons.draining(event.reason)}


def _ended(record: ModelRecord, event: ev.RuntimeEvent) -> Changes:
    newest = max(record.ended_generation, event.generation)
    return {**_NO_ENGINE, "generation": event.generation, "ended_generation": newest}


def _unloaded(record: ModelRecord, event: ev.RuntimeUnloaded, _now: datetime) -> Changes:
    had_engine = is_live(record) or record.state == ModelState.ERROR
    reason = {"reason": reasons.unloaded(event.reason)} if had_engine else {}
    return _ended(record, event) | reason | after_unload(record)


def _failed(record: ModelRecord, event: ev.RuntimeFailed, now: datetime) -> Changes:
    """An engine whose agent is lost may come back, so its generation is not over."""
    end = dict(_NO_ENGINE) if event.kind is FailureKind.LOST else _ended(record, event)
    return end | after_failure(record, event, now)


# Each takes its own event class; a mapping of them cannot say that in types.
_CHANGES: Final[Mapping[type[ev.Message], Callable[[ModelRecord, Any, datetime], Changes]]] = {
    ev.ModelDiscovered: _discovered,
    ev.ModelAnalyzing: _analyzing,
    ev.ModelAnalyzed: _analyzed,
    ev.ModelRejected: _rejected,
    ev.ModelRemoved: _removed,
    ev.ModelPinRequested: wishes.pinned,
    ev.ModelRetryRequested: wishes.retried,
    ev.RuntimeLoading: _loading,
    ev.RuntimeLoaded: _loaded,
    ev.RuntimeSleeping: _sleeping,
    ev.RuntimeUnloading: _unloading,
    ev.RuntimeUnloaded: _unloaded,
    ev.RuntimeFailed: _failed,
}
