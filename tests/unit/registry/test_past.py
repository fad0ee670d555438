"""Which decisions the registry keeps."""

from typing import Any

from modelium.common.events import DecisionMade
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore, in_memory_store
from modelium.registry.handlers import on_decision_made


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
