"""Which decisions the registry keeps."""

from datetime import timedelta
from typing import Any

from modelium.common.events import DecisionJudged, DecisionMade
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore, in_memory_store
from modelium.registry.handlers import on_decision_judged, on_decision_made
from modelium.registry.past import keep_load
from tests.unit.registry.facts import failed, loaded


def evict(model: str = "qwen", reason: str = "not used for 30 s") -> Decision:
    return Decision(model=model, action=DecidedAction.EVICT, reason=reason)


def made(*decisions: Decision, origin: str = "brain", **changes: Any) -> DecisionMade:
    return DecisionMade(
        origin=origin,
        source=DecisionSource.RULES,
        inputs_digest="0123",
        decisions=decisions,
        **changes,
    )


async def heard(*events: DecisionMade) -> InMemoryStore:
    clock = FakeClock()
    store = await in_memory_store(clock=clock)
    for event in events:
        await on_decision_made(event, store=store, bus=InMemoryBus(), clock=clock)
    return store


async def ids(store: InMemoryStore) -> list[str]:
    kept = await store.history.decisions_of("qwen", most=9)
    return [record.decision_id for record in kept]


async def test_a_decision_is_kept_under_its_message_id() -> None:
    store = await heard(made(evict(), message_id="m1"))
    record = await store.history.decision("m1")
    assert record is not None
    assert (record.origin, record.decisions) == ("brain", (evict(),))


async def test_a_decision_that_says_nothing_is_not_kept() -> None:
    store = await heard(made(message_id="m1"))
    assert await store.history.decision("m1") is None


async def outcomes(store: InMemoryStore) -> list[tuple[str, ...]]:
    kept = await store.history.decisions_of("qwen", most=9)
    return [tuple(came.outcome for came in record.came) for record in kept]


async def judge(store: InMemoryStore, decision_id: str, text: str) -> None:
    judged = DecisionJudged(
        decision_id=decision_id,
        model="qwen",
        source=DecisionSource.RULES,
        action=DecidedAction.EVICT,
        cost_s=3.0,
        outcome=text,
    )
    await on_decision_judged(judged, store=store)


async def test_what_came_of_advice_is_kept_with_it_and_told_again_replaces_it() -> None:
    store = await heard(made(evict(), message_id="m1"))
    await judge(store, "m1", "it cost 3 s")
    await judge(store, "m1", "it cost 4 s")
    assert await outcomes(store) == [("it cost 4 s",)]


async def test_of_advice_that_was_repeated_it_is_kept_with_what_was_said_first() -> None:
    store = await heard(made(evict(), message_id="m1"), made(evict(), message_id="m2"))
    await judge(store, "m2", "it cost 3 s")
    assert await outcomes(store) == [("it cost 3 s",)]


async def test_a_load_that_was_decided_says_how_it_ended() -> None:
    load = Decision(model="qwen", action=DecidedAction.LOAD, reason="somebody waits")
    store = await heard(made(evict()), made(load, origin="orchestrator"))
    record = await store.history.decisions_of("qwen", most=1)
    began = record[0].made_at
    await keep_load(loaded(occurred_at=began + timedelta(seconds=14)), store=store)
    # As a crash is, later on.
    await keep_load(failed(occurred_at=began + timedelta(seconds=90)), store=store)
    assert await outcomes(store) == [(), ("loaded after 14.0 s",)]


async def test_advice_that_is_repeated_is_kept_once() -> None:
    again = (made(evict(reason=f"not used for {s} s"), message_id=f"m{s}") for s in (30, 40, 50))
    assert await ids(await heard(*again)) == ["m30"]


async def test_but_not_what_the_orchestrator_says_twice() -> None:
    twice = (made(evict(), origin="orchestrator", message_id=f"m{n}") for n in (1, 2))
    assert await ids(await heard(*twice)) == ["m1", "m2"]


async def test_nor_advice_that_something_came_between() -> None:
    first, between = made(evict(), message_id="m1"), made(evict("b"), evict(), message_id="m2")
    assert await ids(await heard(first, between, made(evict(), message_id="m3"))) == [
        "m1",
        "m2",
        "m3",
    ]
