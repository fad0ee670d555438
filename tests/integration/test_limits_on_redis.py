"""Limits that several gateways share on a real Redis, also while it is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from modelium.common import keys
from modelium.common.clock import SystemClock
from modelium.common.redis_store import RedisStore
from modelium.gateway.access.refilling import LEASE_S
from modelium.gateway.access.windows import LimitsWindows
from tests.access_kit import OneLimiter, limiters
from tests.servers import Server


@asynccontextmanager
async def sharing(server: Server, count: int = 1, **limits: int) -> AsyncIterator[list[OneLimiter]]:
    """Limiters with clients of Redis as gateways have them; they begin with an empty Redis."""
    clock = SystemClock()
    raw: Redis = Redis.from_url(server.url)
    await raw.flushall()
    await raw.aclose()
    windows, store = LimitsWindows(server.url, clock), RedisStore(server.url)
    try:
        async with limiters(windows, store.leases, clock, count=count, **limits) as made:
            yield made
    finally:
        await windows.close()
        await store.close()


async def until(met: Callable[[], bool]) -> None:
    """Wait for what becomes true by itself; pytest's timeout is the bound."""
    while not met():
        await SystemClock().sleep(0.02)


async def until_shared(*gateways: OneLimiter, local: bool) -> None:
    await until(lambda: all(gateway.refilling.local is local for gateway in gateways))


async def test_a_lone_client_gets_exactly_its_limit(redis: Server) -> None:
    async with sharing(redis, requests_per_minute=333) as [one]:
        assert await one.ask_often(150) + await one.ask_at_once(300) == 333
        assert 58 < (one.refused[0].retry_after_s or 0) <= 60


async def test_gateways_that_ask_at_once_never_get_more_than_the_limit(redis: Server) -> None:
    async with sharing(redis, 3, requests_per_minute=500) as gateways:
        let_in = await asyncio.gather(*(gateway.ask_at_once(400) for gateway in gateways))
        assert 480 <= sum(let_in) <= 500


async def test_tokens_of_gateways_are_charged_to_one_window(redis: Server) -> None:
    async with sharing(redis, 2, tokens_per_minute=1_000_000) as (one, two):
        assert await one.ask(tokens=999_000)
        raw: Redis = Redis.from_url(redis.url, decode_responses=True)
        while sum([await raw.llen(name) for name in await raw.keys(f"{keys.LIMITS}*")]) < 9_990:
            await SystemClock().sleep(0.01)
        await raw.aclose()
        assert await two.ask(tokens=50_000)
        assert not await two.ask()
        assert "tokens per minute" in two.refused[0].message


async def test_gateways_never_run_more_at_a_time_than_the_limit(redis: Server) -> None:
    async with sharing(redis, 3, concurrent_requests=20) as gateways:
        let_in = await asyncio.gather(
            *(gateway.ask_at_once(20, tokens=None) for gateway in gateways)
        )
        assert 16 <= sum(let_in) <= 20
        clock = SystemClock()
        while sum(len(gateway.running) for gateway in gateways) < 20:
            for gateway in gateways:
                await gateway.ask(tokens=None)
            await clock.sleep(0.1)
        assert not any([await gateway.ask() for gateway in gateways])


async def test_a_redis_killed_and_started_again_lets_no_more_in_than_the_limit(
    own_redis: Server,
) -> None:
    async with sharing(own_redis, 2, requests_per_minute=200) as (one, two):
        let_in = await one.ask_often(20) + await two.ask_often(20)
        await until(lambda: one.refilling.gateways == two.refilling.gateways == 2)
        await asyncio.to_thread(own_redis.kill)
        let_in += sum(await asyncio.gather(one.ask_often(300), two.ask_often(300)))
        assert 80 <= let_in <= 200
        assert one.refilling.local
        assert two.refilling.local
        await asyncio.to_thread(own_redis.start)
        await until_shared(one, two, local=False)
        let_in += await one.ask_often(300) + await two.ask_often(300)
        assert let_in <= 200


async def test_slots_that_are_held_stay_while_redis_is_away_and_are_given_back_after(
    own_redis: Server,
) -> None:
    async with sharing(own_redis, 2, concurrent_requests=6) as (one, two):
        assert await one.ask_at_once(5, tokens=None) == 5
        await asyncio.to_thread(own_redis.kill)
        await until_shared(one, local=True)
        one.running.pop().done()
        assert await one.ask(tokens=None)
        await asyncio.to_thread(own_redis.start)
        await until_shared(one, local=False)
        for admission in one.running:
            admission.done()
        async with asyncio.timeout(2 * LEASE_S):
            while len(two.running) < 6:
                await two.ask(tokens=None)
                await SystemClock().sleep(0.1)
        assert not await two.ask()
