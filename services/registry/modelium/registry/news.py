"""Which events change a model's record; pure.

Not news are repeats, facts of an ended or superseded load attempt, and facts about other files than
the record's. What the others change is in `projection.py`.
"""

from modelium.common import events as ev
from modelium.common.records import (
    LIVE_STATES,
    FailureKind,
    InstanceState,
    ModelRecord,
    ModelState,
)
from modelium.common.wishes import has_failed

FilesEvent = (
    ev.ModelDiscovered | ev.ModelAnalyzing | ev.ModelAnalyzed | ev.ModelRejected | ev.ModelRemoved
)
Event = FilesEvent | ev.RuntimeEvent | ev.ModelPinRequested | ev.ModelRetryRequested


def is_live(record: ModelRecord) -> bool:
    """Whether an engine of the model may hold memory."""
    return record.state in LIVE_STATES


def is_of_copy(record: ModelRecord, event: ev.RuntimeEvent) -> bool:
    """Whether it is about another engine than the one that the record tells of first.

    An engine that was not known, and is newer than all, is beside one that may hold memory.
    """
    if record.copy_of(event.generation) is not None:
        return True
    return is_live(record) and event.generation > record.newest_generation


def is_news(record: ModelRecord | None, event: Event) -> bool:
    """False when the event changes nothing, and the record is only to be announced again."""
    if record is None:
        return isinstance(event, ev.ModelDiscovered) and bool(event.model and event.fingerprint)
    if isinstance(event, ev.RuntimeEvent):
        return _is_engine_news(record, event)
    if isinstance(event, ev.ModelPinRequested | ev.ModelRetryRequested):
        return _is_wish_news(record, event)
    if isinstance(event, ev.ModelDiscovered):
        return _is_discovery_news(record, event)
    return event.path == record.path and _is_files_news(record, event)


def _is_wish_news(
    record: ModelRecord, event: ev.ModelPinRequested | ev.ModelRetryRequested
) -> bool:
    if isinstance(event, ev.ModelPinRequested):
        return event.pinned != record.pinned
    return has_failed(record)


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
    another = record.descriptor != event.descriptor or not record.files_analysed
    return record.state in unfinished or another


def _is_engine_news(record: ModelRecord, event: ev.RuntimeEvent) -> bool:
    if is_of_copy(record, event):
        return _is_copy_news(record, event)
    same = event.generation == record.generation
    if _is_over(record, event.generation):
        return False
    match event:
        case ev.RuntimeLoading():
            return not same or record.state not in (ModelState.LOADED, ModelState.UNLOADING)
        case ev.RuntimeFailed(kind=FailureKind.LOST):
            return same and is_live(record)
    return True


def _is_over(record: ModelRecord, generation: int) -> bool:
    """Where there were several engines, the one that is left may be older than one that ended."""
    if generation == record.generation:
        return generation <= record.ended_generation and not is_live(record)
    return generation <= max(record.ended_generation, record.newest_generation)


def _is_copy_news(record: ModelRecord, event: ev.RuntimeEvent) -> bool:
    known = record.copy_of(event.generation)
    if isinstance(event, ev.RuntimeLoading) and known is not None:
        return known.state not in (InstanceState.LOADED, InstanceState.UNLOADING)
    return known is not None or not _is_lost(event)


def _is_lost(event: ev.RuntimeEvent) -> bool:
    return isinstance(event, ev.RuntimeFailed) and event.kind is FailureKind.LOST
