"""The limiter with windows and leases in memory and a clock moved by hand."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from modelium.common.testing import FakeClock, InMemoryStore
from modelium.gateway.access.limits import Limiter
from modelium.gateway.access.refilling import Refilling
from tests.access_kit import OneLimiter, a_principal, an_account, limiters
from tests.windows import MemoryWindows


@dataclass
class Shared:
    """What gateways share."""

    clock: FakeClock
    store: InMemoryStore
    windows: MemoryWindows

    def away(self) -> None:
        self.store.answers = self.windows.answers = False

    def back(self) -> None:
        self.store.answers = self.windows.answers = True


@pytest.fixture
def shared(clock: FakeClock) -> Shared:
    return Shared(clock, InMemoryStore(clock), MemoryWindows(clock))


def gateways(
    shared: Shared, count: int = 1, **limits: int
) -> AbstractAsyncContextManager[list[OneLimiter]]:
    return limiters(shared.windows, shared.store.leases, shared.clock, count=count, **limits)


async def test_who_has_no_limit_is_admitted_without_anything(shared: Shared) -> None:
    refilling = Refilling(
        gateway_id="g", windows=shared.windows, leases=shared.store.leases, clock=shared.clock
    )
    limiter = Limiter(refilling, shared.clock)
    first, second = limiter.admit(a_principal()), limiter.admit(a_principal())
    assert first is second is not None
    first.done(5)
    first.done(5)
    assert shared.windows.asked == 0


async def test_a_client_gets_exactly_its_requests_and_then_429(shared: Shared) -> None:
    async with gateways(shared, requests_per_minute=100) as [one]:
        await shared.clock.advance(10)
        assert await one.ask_often(130) == 100
        refusal = one.refused[0]
        assert (refusal.status, refusal.code) == (429, "rate_limit_exceeded")
        assert refusal.message == (
            "The organisation acme has reached its limit of 100 requests per minute."
        )
        assert refusal.retry_after_s == pytest.approx(60)
        await shared.clock.advance(61)
        assert await one.ask_often(130) == 100


async def test_a_refused_client_does_not_ask_the_store_again_and_again(shared: Shared) -> None:
    async with gateways(shared, requests_per_minute=3) as [one]:
        await one.ask_often(5)
        asked = shared.windows.asked
        await one.ask_often(100)
        assert shared.windows.asked == asked


async def test_a_busy_client_is_admitted_without_asking_the_store_each_time(
    shared: Shared,
) -> None:
    async with gateways(shared, requests_per_minute=60_000) as [one]:
        for _ in range(100):
            assert await one.ask_often(50) == 50
            await shared.clock.advance(0.01)
        assert shared.windows.asked < 250


async def test_many_at_once_share_one_question(shared: Shared) -> None:
    async with gateways(shared, requests_per_minute=64) as [one]:
        assert await one.ask_at_once(100) == 64


async def test_two_gateways_together_give_what_one_would(shared: Shared) -> None:
    async with gateways(shared, 2, requests_per_minute=50) as (one, two):
        let_in = [await gateway.ask() for _ in range(60) for gateway in (one, two)]
        assert 47 <= sum(let_in) <= 50


async def test_tokens_are_charged_when_they_are_known(shared: Shared) -> None:
    async with gateways(shared, tokens_per_minute=1000) as [one]:
        assert await one.ask(tokens=400)
        await shared.clock.advance(1)
        assert await one.ask(tokens=900)
        await shared.clock.advance(1)
        assert not await one.ask()
        assert "1000 tokens per minute" in one.refused[0].message
        assert shared.windows.count("organization/acme/tokens") == 1000
        await shared.clock.advance(62)
        assert await one.ask()


async def test_done_counts_once(shared: Shared) -> None:
    async with gateways(shared, concurrent_requests=2) as [one]:
        await one.ask_at_once(2, tokens=None)
        first = one.running[0]
        first.done()
        first.done()
        assert await one.ask_at_once(2, tokens=None) == 1


async def test_no_more_run_at_a_time_than_the_limit_over_all_gateways(shared: Shared) -> None:
    async with gateways(shared, 2, concurrent_requests=10) as (one, two):
        assert await one.ask_at_once(8, tokens=None) == 8
        let_in = await two.ask_at_once(8, tokens=None)
        assert 1 <= let_in <= 2
        await shared.clock.advance(2)
        assert let_in + await two.ask_at_once(8, tokens=None) == 2
        assert two.refused[0].message.endswith("its limit of 10 concurrent requests.")
        assert two.refused[0].retry_after_s == 1
        for admission in one.running:
            admission.done()
        await shared.clock.advance(3)
        assert await two.ask_at_once(8, tokens=None) == 8


async def test_the_slots_of_a_gateway_that_is_gone_are_free_after_its_lease(
    shared: Shared,
) -> None:
    async with gateways(shared, concurrent_requests=4) as [gone]:
        await gone.ask_at_once(4, tokens=None)
    async with gateways(shared, 2, concurrent_requests=4) as (_, two):
        two.refilling._gateway_id = "another"
        assert not await two.ask(tokens=None)
        await shared.clock.advance(5.5)
        assert await two.ask_at_once(5, tokens=None) == 4


async def test_a_running_request_keeps_its_lease_however_long_it_runs(shared: Shared) -> None:
    async with gateways(shared, 2, concurrent_requests=1) as (one, two):
        assert await one.ask(tokens=None)
        for _ in range(20):
            await shared.clock.advance(1)
            assert not await two.ask()


async def test_while_the_store_is_away_a_gateway_keeps_to_its_share_and_says_so(
    shared: Shared,
) -> None:
    async with gateways(shared, 2, requests_per_minute=100) as (one, two):
        let_in = await one.ask_often(10) + await two.ask_often(10)
        await shared.clock.advance(2)
        shared.away()
        let_in += await one.ask_often(200) + await two.ask_often(200)
        assert 40 <= let_in <= 100
        assert one.refilling.local
        shared.back()
        await shared.clock.advance(4)
        assert not one.refilling.local
        let_in += await one.ask_often(200) + await two.ask_often(200)
        assert let_in <= 100


async def test_while_the_store_is_away_held_slots_stay_and_one_is_always_there(
    shared: Shared,
) -> None:
    async with gateways(shared, 2, concurrent_requests=4) as (one, two):
        await one.ask_at_once(3, tokens=None)
        shared.away()
        assert await two.ask_at_once(3, tokens=None) == 1
        assert await one.ask_at_once(3, tokens=None) <= 1


async def test_accounts_that_nobody_uses_are_forgotten(shared: Shared) -> None:
    async with gateways(shared, requests_per_minute=10, concurrent_requests=2) as [one]:
        await one.ask()
        assert one.refilling._active
        await shared.clock.advance(65)
        assert not one.refilling._active


async def test_the_tightest_of_several_limits_counts(shared: Shared) -> None:
    async with gateways(shared) as [one]:
        key = an_account("key/k1", requests_per_minute=3)
        key.title = "The key mk-k1 (ci)"
        one.principal = a_principal(key, an_account(requests_per_minute=50))
        assert await one.ask_often(10) == 3
        assert one.refused[0].message.startswith("The key mk-k1 (ci) has reached its limit of 3")
