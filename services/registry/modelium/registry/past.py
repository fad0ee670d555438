"""Keeps what was decided, for `modelium explain`."""

from modelium.common.events import DecisionMade
from modelium.common.history import DecisionRecord
from modelium.common.store import Store


async def keep(event: DecisionMade, *, store: Store) -> None:
    """Note the decision, unless it says nothing, or only what the same one has just said."""
    record = _record(event)
    if not record.models():
        return
    last = await store.history.decisions_of(record.models()[0], most=1)
    if not any(_says_again(record, earlier) for earlier in last):
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
    )


def _says_again(record: DecisionRecord, earlier: DecisionRecord) -> bool:
    """The brain repeats its advice with every tick, which would leave no room for the rest."""
    same = record.origin == earlier.origin == "brain" and record.plan is earlier.plan is None
    return same and _what(record) == _what(earlier)


def _what(record: DecisionRecord) -> set[tuple[str, str]]:
    return {(decision.model, decision.action) for decision in record.decisions}
