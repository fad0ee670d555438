"""Keeps what was decided, for `modelium explain`."""

from typing import Final

from modelium.common.events import DecisionMade
from modelium.common.history import DecisionRecord
from modelium.common.store import Store

BRAIN: Final = "brain"
"""The `origin` of its decisions."""


async def keep(event: DecisionMade, *, store: Store) -> None:
    """Note the decision, unless it says nothing, or only what the same one has just said."""
    record = _record(event)
    if not record.models():
        return
    if record.origin != BRAIN or not await _is_repeated(record, store):
        await store.history.note_decision(record)


def _record(event: DecisionMade) -> DecisionRecord:
    return DecisionRecord(
        decision_id=event.message_id,
        made_at=event.occurred_at,
        origin=event.origin,
        source=event.source,
        inputs_digest=event.inputs_digest,
        decisions=event.decisions,
        plan=event.plan,
        shadow=event.shadow,
    )


async def _is_repeated(record: DecisionRecord, store: Store) -> bool:
    """The brain repeats its advice with every tick, which would leave no room for the rest."""
    last = await store.history.decisions_of(record.models()[0], most=1)
    return any(_says_the_same(record, earlier) for earlier in last)


def _says_the_same(record: DecisionRecord, earlier: DecisionRecord) -> bool:
    same = record.origin == earlier.origin and record.plan == earlier.plan
    return same and _what(record) == _what(earlier)


def _what(record: DecisionRecord) -> set[tuple[str, str]]:
    return {(decision.model, decision.action) for decision in record.decisions}
