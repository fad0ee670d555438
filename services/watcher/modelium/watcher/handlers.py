"""Reads each discovered model and tells what it is.

Discoveries come from `watch.py` and from other systems. These may name only a path: what they left
out is filled in and published as a discovery of its own, which the registry hears as well.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final, Protocol

from modelium.common.bus import Bus, Handler
from modelium.common.clock import Clock
from modelium.common.descriptor import Descriptor, RuntimeKind
from modelium.common.errors import InvalidModel, Reject
from modelium.common.events import (
    Message,
    ModelAnalyzed,
    ModelAnalyzing,
    ModelDiscovered,
    ModelRejected,
)
from modelium.common.records import ModelRecord
from modelium.common.store import Store
from modelium.watcher.announcements import name_is_taken, wanted_name
from modelium.watcher.fitting import fit, owner_of_alias
from modelium.watcher.in_hand import InHand, Superseded
from modelium.watcher.listing import Candidate
from modelium.watcher.scan import Verdict


class ModelFiles(Protocol):
    """What a handler needs of the file system."""

    async def look(self, path: str) -> Verdict:
        """The model at `path`; raises `InvalidModel` when nothing there can be one."""

    async def analyse(self, candidate: Candidate) -> Descriptor:
        """What it is; raises `InvalidModel` when it cannot be served."""

    def watches(self, path: str) -> bool:
        """Whether `watch.py` looks after it."""


async def on_model_discovered(
    event: ModelDiscovered,
    *,
    files: ModelFiles,
    store: Store,
    bus: Bus,
    clock: Clock,
    enabled: Collection[RuntimeKind],
    in_hand: InHand,
) -> None:
    """Analyse the model, or first complete the event; safe to repeat.

    It takes as long as the analysis, and the message stays with the bus until then.
    """
    complete = bool(event.model and event.fingerprint)
    try:
        found = await files.look(event.path)
    except InvalidModel as error:
        if not complete:
            raise Reject(error.reason) from error
        await bus.publish(_rejected(event, error.reason, clock))
        return
    if complete and event.name_taken_by:
        reason = name_is_taken(found, event.name_taken_by)
        await bus.publish(_rejected(event, reason, clock))
    elif complete and event.fingerprint == found.fingerprint:
        with suppress(Superseded):
            async with in_hand.newest(event, said_again=files.watches(event.path)):
                begins = {**_common(event, "analyzing", clock), "size_bytes": event.size_bytes}
                await bus.publish(ModelAnalyzing.model_validate(begins))
                said = await _analysed(event, found.candidate, files, store, enabled, clock)
                await bus.publish(said)
    elif not (complete and files.watches(event.path)):
        await bus.publish(_completed(event, found, await store.models.all(), clock))
    # Otherwise the files have changed since, and are announced again once they have settled.


async def _analysed(
    event: ModelDiscovered,
    candidate: Candidate,
    files: ModelFiles,
    store: Store,
    enabled: Collection[RuntimeKind],
    clock: Clock,
) -> Message:
    """What is to be said of the model."""
    try:
        descriptor = await files.analyse(candidate)
    except InvalidModel as error:
        return _rejected(event, error.reason, clock)
    # Only now: others may have got their names, or become its base, while it was read.
    fitted = fit(event.model or "", descriptor, await store.models.all(), enabled)
    if fitted.refusal:
        return _rejected(event, fitted.refusal, clock, fitted.descriptor)
    result = {"size_bytes": candidate.size_bytes, "descriptor": fitted.descriptor}
    return ModelAnalyzed.model_validate(_common(event, "analyzed", clock) | result)


def _rejected(
    event: ModelDiscovered, reason: str, clock: Clock, descriptor: Descriptor | None = None
) -> Message:
    why = {"reason": reason, "descriptor": descriptor}
    return ModelRejected.model_validate(_common(event, "rejected", clock) | why)


def _common(event: ModelDiscovered, step: str, clock: Clock) -> dict[str, object]:
    """A repeat of the handler says the same under the same id."""
    return {
        "message_id": f"{event.message_id}:{step}",
        "occurred_at": clock.now(),
        "model": event.model,
        "path": event.path,
        "fingerprint": event.fingerprint,
    }


def _completed(
    event: ModelDiscovered, found: Verdict, records: list[ModelRecord], clock: Clock
) -> ModelDiscovered:
    """The same discovery with all its fields."""
    path = found.candidate.path
    return ModelDiscovered(
        message_id=f"{event.message_id}:completed",
        occurred_at=clock.now(),
        path=path,
        model=_name(event.model, found, records),
        fingerprint=found.fingerprint,
        size_bytes=found.candidate.size_bytes,
    )


def _name(wanted: str | None, found: Verdict, records: list[ModelRecord]) -> str:
    """The name it has, or the one it asks for, or its own file's, or its folder's.

    Raises:
        Reject: it asks for the name of another model, or for a second one.
    """
    path = found.candidate.path
    known = next((record.model for record in records if record.path == path), None)
    taken = {record.model: record.path for record in records if not record.removed}
    name = wanted or known or wanted_name(found)
    if known not in (None, name):
        raise Reject(f"{path} is served as {known} already")
    others = [record for record in records if record.path != path]
    if alias_owner := owner_of_alias(name, others):
        taken.setdefault(name, alias_owner.path)
    if taken.get(name, path) != path:
        raise Reject(f"the name {name} belongs to {taken[name]}: give {path} another with `model`")
    return name


HANDLERS: Final[dict[type[Message], Handler]] = {ModelDiscovered: on_model_discovered}
