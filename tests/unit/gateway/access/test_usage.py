"""What is counted reaches the store once, however often the store is away."""

import asyncio
from collections.abc import Sequence
from datetime import date

from modelium.common.errors import DependencyUnavailable
from modelium.common.testing import FakeClock, InMemoryStore
from modelium.common.usage import Figures, Usage
from modelium.gateway.access.principal import Principal
from modelium.gateway.access.usage import UsageMeter
from tests.access_kit import a_principal

TODAY = date(2026, 1, 1)


def a_meter(store: InMemoryStore, clock: FakeClock) -> UsageMeter:
    return UsageMeter(gateway_id="g1", usage=store.usage, clock=clock)


async def rows(store: InMemoryStore) -> list[Usage]:
    return await store.usage.of(None, date(2025, 1, 1), date(2027, 1, 1))


async def test_requests_of_one_key_and_model_are_added_up(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = a_meter(store, clock)
    who = a_principal()
    meter.add(who, "qwen", prompt_tokens=3, completion_tokens=5, device_s=0.5)
    meter.add(who, "qwen", prompt_tokens=4, load_s=2.0)
    meter.add(who, "qwen", device_s=0.25, requests=0)
    meter.add(who, "phi")
    assert await meter.flush()
    assert await rows(store) == [
        Usage("acme", TODAY, "k1", "phi", Figures(1, 0, 0, 0.0, 0.0)),
        Usage("acme", TODAY, "k1", "qwen", Figures(2, 7, 5, 0.75, 2.0)),
    ]


async def test_it_is_written_every_second(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = a_meter(store, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(meter.run())
        meter.add(a_principal(), "qwen")
        await clock.advance(1)
        assert len(await rows(store)) == 1
        running.cancel()


async def test_an_outage_loses_nothing(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = a_meter(store, clock)
    for _ in range(5):
        meter.add(a_principal(), "qwen")
        store.answers = False
        assert not await meter.flush()
    store.answers = True
    assert await meter.flush()
    assert [row.figures.requests for row in await rows(store)] == [5]


class LosesAnswers:
    """A log of usage that adds everything and never says so the first time."""

    def __init__(self, inner: InMemoryStore) -> None:
        self._inner = inner
        self._said: set[int] = set()

    async def add(self, gateway_id: str, sequence: int, rows: Sequence[Usage]) -> None:
        await self._inner.usage.add(gateway_id, sequence, rows)
        if sequence not in self._said:
            self._said.add(sequence)
            raise DependencyUnavailable("The answer was lost", "Ask again")

    async def of(self, organization: str | None, first: date, last: date) -> list[Usage]:
        return await self._inner.usage.of(organization, first, last)


async def test_a_lost_answer_counts_nothing_twice(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = UsageMeter(gateway_id="g1", usage=LosesAnswers(store), clock=clock)
    for _ in range(3):
        meter.add(a_principal(), "qwen")
        await meter.flush()
    while not await meter.flush():
        pass
    assert [row.figures.requests for row in await rows(store)] == [3]


async def test_what_was_used_before_midnight_belongs_to_that_day(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = a_meter(store, clock)
    store.answers = False
    meter.add(a_principal(), "qwen")
    await meter.flush()
    await clock.advance(86_400)
    meter.add(a_principal(), "qwen")
    store.answers = True
    await meter.flush()
    assert [row.day for row in await rows(store)] == [TODAY, date(2026, 1, 2)]


async def test_many_keys_are_written_in_several_batches(clock: FakeClock) -> None:
    store = InMemoryStore(clock)
    meter = a_meter(store, clock)
    for number in range(1200):
        meter.add(Principal("acme", f"k{number}", frozenset()), "qwen")
    assert await meter.flush()
    assert len(await rows(store)) == 1200
