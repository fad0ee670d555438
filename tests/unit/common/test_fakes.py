"""The fakes do what tests rely on."""

import asyncio

import pytest

from modelium.common import events as ev
from modelium.common.errors import RetryLater
from modelium.common.testing import FakeClock, InMemoryBus, a_model_record, in_memory_store


async def test_advance_wakes_sleepers_in_order_each_at_its_own_time(clock: FakeClock) -> None:
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, *delays_s: float) -> None:
        for delay_s in delays_s:
            await clock.sleep(delay_s)
            woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("steady", 1, 1, 1))
        group.create_task(sleep("late", 2.5))
        group.create_task(sleep("never yet", 9))
        await clock.advance(3)
        assert woken == [("steady", 1), ("steady", 2), ("late", 2.5), ("steady", 3)]
        assert clock.sleepers == 1
        await clock.advance(6)


async def test_now_and_monotonic_move_together(clock: FakeClock) -> None:
    before = clock.now()
    await clock.advance(1.5)
    assert (clock.now() - before).total_seconds() == clock.monotonic() == 1.5


async def test_a_cancelled_sleeper_is_forgotten(clock: FakeClock) -> None:
    sleeper = asyncio.ensure_future(clock.sleep(5))
    await clock.until_sleeping()
    sleeper.cancel()
    await clock.advance(10)
    assert clock.sleepers == 0
    assert sleeper.cancelled()


async def test_settled_waits_for_what_handlers_publish_in_turn(clock: FakeClock) -> None:
    bus, handled = InMemoryBus(clock=clock), []

    async def answer(message: ev.ModelDiscovered) -> None:
        await bus.publish(ev.ModelRequested(model="qwen"))

    async def note(message: ev.ModelRequested) -> None:
        handled.append(message)

    consumers = [
        asyncio.ensure_future(bus.consume("a", {ev.ModelDiscovered: answer})),
        asyncio.ensure_future(bus.consume("b", {ev.ModelRequested: note})),
    ]
    await bus.publish(ev.ModelDiscovered(path="/m"))
    await bus.settled()
    assert handled == bus.of(ev.ModelRequested)
    for consumer in consumers:
        consumer.cancel()


async def test_a_delayed_message_waits_for_the_clock(clock: FakeClock) -> None:
    bus, times = InMemoryBus(clock=clock), []

    async def later(message: ev.ModelRequested) -> None:
        times.append(clock.monotonic())
        if len(times) < 3:
            raise RetryLater("not yet", delay_s=2)

    consumer = asyncio.ensure_future(bus.consume("a", {ev.ModelRequested: later}))
    await bus.publish(ev.ModelRequested(model="qwen"))
    await bus.settled()
    await clock.advance(10)
    assert times == [0, 2, 4]
    consumer.cancel()


async def test_a_store_starts_with_the_records_given(clock: FakeClock) -> None:
    store = await in_memory_store(a_model_record(model="a"), a_model_record(model="b"), clock=clock)
    saved = await store.models.all()
    assert [(record.model, record.version) for record in saved] == [("a", 1), ("b", 1)]
    assert saved[0].updated_at == clock.now()


def test_samples_take_only_what_their_records_take() -> None:
    assert a_model_record(model="phi").model == "phi"
    with pytest.raises(ValueError, match="pattern"):
        a_model_record(model="../etc")
