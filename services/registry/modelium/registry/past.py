"""Keeps what was decided and what came of it, for `modelium explain`."""

from collections.abc import Callable
from typing import Final

from modelium.common.events import DecisionJudged, DecisionMade, RuntimeFailed, RuntimeLoaded
from modelium.common.figures import DecidedAction
from modelium.common.history import DecisionRecord
from modelium.common.origins import BY_ORCHESTRATOR
from modelium.common.store import Store

BRAIN: Final = "brain"
"""The `origin` of its decisions."""
LOOKED_AT: Final = 10
"""Of a model's newest decisions, for the one that something came of."""


async def keep(event: DecisionMade, *, store: Store) -> None:
    """Note the decision, unless it says nothing, or only what the same one has just said."""
    record = _record(event)
    if not record.models():
        return
    if record.origin != BRAIN or not await _is_repeated(record, store):
        await store.history.note_decision(record)


async def keep_judgement(event: DecisionJudged, *, store: Store) -> None:
    """Note what came of advice; where it was a repetition, with what was said first.

    Who said nothing about a model, and so kept it, has no record of that.
    """
    record = await store.history.decision(event.decision_id)
    if record is None:

        def advised(kept: DecisionRecord) -> bool:
            actions = {d.action for d in kept.decisions if d.model == event.model}
            return kept.source is event.source and event.action in actions

        record = await _newest(event.model, advised, store)
    await _note(record, event.model, event.outcome, store)


async def keep_load(event: RuntimeLoaded | RuntimeFailed, *, store: Store) -> None:
    """Note how the load ended that the orchestrator has decided on."""
    record = await _newest(event.model, lambda kept: _loads(kept, event.model), store)
    if record is None or any(came.model == event.model for came in record.came):
        return
    took = (event.occurred_at - record.made_at).total_seconds()
    ended = "loaded" if isinstance(event, RuntimeLoaded) else f"failed ({event.reason})"
    await _note(record, event.model, f"{ended} after {max(0.0, took):.1f} s", store)


def _loads(record: DecisionRecord, model: str) -> bool:
    ways = {DecidedAction.LOAD, DecidedAction.WAKE}
    begins = any(d.model == model and d.action in ways for d in record.decisions)
    return record.origin == BY_ORCHESTRATOR and begins


async def _newest(
    model: str, is_it: Callable[[DecisionRecord], bool], store: Store
) -> DecisionRecord | None:
    kept = await store.history.decisions_of(model, most=LOOKED_AT)
    return next(filter(is_it, reversed(kept)), None)


async def _note(record: DecisionRecord | None, model: str, outcome: str, store: Store) -> None:
    if record is not None and model in record.models():
        await store.history.note_decision(record.with_outcome(model, outcome))


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
