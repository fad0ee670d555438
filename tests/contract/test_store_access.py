"""What gateways share of keys, slots and usage: the same in memory and on Redis."""

import asyncio
from datetime import UTC, date, datetime

import pytest
from redis.asyncio import Redis

from modelium.common import keys
from modelium.common.api_keys import ApiKey, Scope, mint
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.redis_store import RedisStore
from modelium.common.store import SlotsHeld, SlotsWanted, Store
from modelium.common.usage import Figures, Usage
from tests.servers import Server
from tests.system import free_port

DAY, NEXT_DAY = date(2026, 1, 31), date(2026, 2, 1)


def a_key(**fields: object) -> ApiKey:
    given = {"organization": "acme", "scopes": (Scope.READ, Scope.ADMIN)} | fields
    return mint(
        b"a pepper for tests", now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **given
    ).record


async def test_a_key_is_read_as_it_was_saved(store: Store) -> None:
    key = a_key(
        name="ci, [nightly]",
        models=("qwen*", "l[ab]*"),
        requests_per_minute=5,
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    saved = await store.api_keys.save(key)
    assert await store.api_keys.get(key.key_id) == saved
    assert await store.api_keys.all() == [saved]
    changes = {"version": 1, "updated_at": saved.updated_at}
    assert saved == key.model_copy(update=changes)


async def test_a_key_without_models_has_none_when_it_is_read(store: Store) -> None:
    saved = await store.api_keys.save(a_key())
    found = await store.api_keys.get(saved.key_id)
    assert found is not None
    assert (found.models, found.scopes) == ((), (Scope.READ, Scope.ADMIN))


async def test_of_two_who_revoke_a_key_one_is_told(store: Store) -> None:
    saved = await store.api_keys.save(a_key())
    revoked = saved.model_copy(update={"revoked_at": datetime(2026, 2, 1, tzinfo=UTC)})
    await store.api_keys.save(revoked)
    with pytest.raises(Conflict):
        await store.api_keys.save(revoked)


async def renew(store: Store, gateway: str, wanted: int, limit: int = 10) -> SlotsHeld:
    [held] = (
        await store.leases.renew(gateway, {"key/k": SlotsWanted(limit, wanted)}, ttl_s=60)
    ).values()
    return held


async def test_slots_are_given_up_to_the_limit(store: Store) -> None:
    assert await renew(store, "a", 7) == SlotsHeld(7, contended=False)
    assert await renew(store, "b", 7) == SlotsHeld(3, contended=False)
    assert await renew(store, "a", 7) == SlotsHeld(7, contended=True)
    assert await renew(store, "a", 2) == SlotsHeld(2, contended=True)
    assert await renew(store, "b", 7) == SlotsHeld(7, contended=False)
    assert await renew(store, "c", 5) == SlotsHeld(1, contended=False)


async def test_slots_that_are_not_wanted_are_given_back(store: Store) -> None:
    await renew(store, "a", 10)
    assert await renew(store, "a", 0) == SlotsHeld(0, contended=False)
    assert await renew(store, "b", 10) == SlotsHeld(10, contended=False)


async def test_several_accounts_are_renewed_at_once(store: Store) -> None:
    wanted = {"key/k": SlotsWanted(5, 9), "organization/o": SlotsWanted(3, 1)}
    held = await store.leases.renew("a", wanted, ttl_s=60)
    assert held == {
        "key/k": SlotsHeld(5, contended=False),
        "organization/o": SlotsHeld(1, contended=False),
    }
    assert await store.leases.renew("a", {}, ttl_s=60) == {}


async def test_a_lease_that_is_not_renewed_ends(store: Store) -> None:
    await store.leases.renew("a", {"key/k": SlotsWanted(10, 10)}, ttl_s=0.05)
    async with asyncio.timeout(5):
        while (await renew(store, "b", 10)).held == 0:
            pass
    assert await renew(store, "a", 1) == SlotsHeld(0, contended=False)


async def test_gateways_are_counted_while_they_say_that_they_are_there(store: Store) -> None:
    assert await store.leases.present("a", ttl_s=60) == 1
    assert await store.leases.present("b", ttl_s=0.05) == 2
    async with asyncio.timeout(5):
        while await store.leases.present("a", ttl_s=60) == 2:
            pass


def a_row(**changes: object) -> Usage:
    given = {"organization": "acme", "day": DAY, "key_id": "k1", "model": "qwen2.5-0.5b"}
    figures = Figures(1, 20, 300, 0.5, 0.0)
    return Usage(**({**given, "figures": figures} | changes))  # type: ignore[arg-type]


async def test_usage_adds_up_by_organisation_day_key_and_model(store: Store) -> None:
    rows = [a_row(), a_row(model="phi"), a_row(key_id="oidc:ann"), a_row(day=NEXT_DAY)]
    await store.usage.add("g", 1, rows)
    await store.usage.add("g", 2, [a_row(), a_row(organization="other")])
    found = await store.usage.of("acme", DAY, NEXT_DAY)
    assert found == [
        a_row(model="phi"),
        a_row(figures=Figures(2, 40, 600, 1.0, 0.0)),
        a_row(key_id="oidc:ann"),
        a_row(day=NEXT_DAY),
    ]
    everybody = await store.usage.of(None, DAY, DAY)
    assert [row.organization for row in everybody] == ["acme", "acme", "acme", "other"]


async def test_a_batch_that_is_sent_again_counts_once(store: Store) -> None:
    for _ in range(3):
        await store.usage.add("g", 1, [a_row()])
    await store.usage.add("another", 1, [a_row()])
    [found] = await store.usage.of("acme", DAY, DAY)
    assert found.figures.requests == 2


async def test_no_usage_is_no_rows(store: Store) -> None:
    assert await store.usage.of(None, DAY, NEXT_DAY) == []
    assert await store.usage.of("nobody", DAY, NEXT_DAY) == []


async def test_usage_reads_by_eye_in_redis(redis: Server) -> None:
    store = RedisStore(redis.url)
    raw: Redis = Redis.from_url(redis.url, decode_responses=True)
    await raw.flushall()
    await store.usage.add("g", 1, [a_row()])
    assert await raw.hgetall(keys.usage("acme", "2026-01-31")) == {
        "k1/qwen2.5-0.5b/requests": "1",
        "k1/qwen2.5-0.5b/prompt_tokens": "20",
        "k1/qwen2.5-0.5b/completion_tokens": "300",
        "k1/qwen2.5-0.5b/device_seconds": "0.5",
    }
    assert await raw.ttl(keys.usage("acme", "2026-01-31")) > 300 * 86_400
    await raw.hset(keys.usage("acme", "2026-01-31"), "k1/qwen2.5-0.5b/requests", "many")
    await store.usage.add("g", 2, [a_row(model="phi")])
    await store.close()
    await raw.aclose()


async def test_a_redis_that_is_away_is_told_within_a_second_or_two() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0")
    async with asyncio.timeout(5):
        with pytest.raises(DependencyUnavailable):
            await renew(store, "a", 1)
        with pytest.raises(DependencyUnavailable):
            await store.usage.add("g", 1, [a_row()])
    await store.close()
