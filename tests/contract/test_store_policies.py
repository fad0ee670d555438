"""The record of applied policies: the same in memory and on Redis, and readable by eye there."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from modelium.common import keys
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.policies import AppliedPolicies
from modelium.common.redis_store import RedisStore
from modelium.common.settings import Policies
from modelium.common.store import Store
from tests.contract.stores import opened
from tests.servers import Server
from tests.system import free_port

WANTED = AppliedPolicies(
    policies=Policies(always_loaded=("a", "b"), min_residency_seconds=7), instead_of=Policies()
)


async def test_what_is_saved_is_read_again(store: Store) -> None:
    assert await store.policies.get() is None
    saved = await store.policies.save(WANTED)
    assert saved.version == 1
    assert saved.updated_at is not None
    assert await store.policies.get() == saved
    assert saved.policies == WANTED.policies


async def test_who_comes_second_saves_nothing(store: Store) -> None:
    first = await store.policies.save(WANTED)
    with pytest.raises(Conflict):
        await store.policies.save(WANTED.model_copy(update={"policies": Policies()}))
    assert await store.policies.get() == first


@pytest.fixture
async def on_redis(redis: Server) -> AsyncIterator[tuple[RedisStore, Redis]]:
    async with opened(redis) as both:
        yield both


async def test_it_is_one_hash_with_a_field_for_each(on_redis: tuple[RedisStore, Redis]) -> None:
    store, raw = on_redis
    await store.policies.save(WANTED)
    fields = await raw.hgetall(keys.POLICIES)  # type: ignore[misc]
    assert fields["policies.always_loaded"] == "a,b"
    assert fields["policies.min_residency_seconds"] == "7.0"
    assert fields["instead_of.min_residency_seconds"] == "5.0"
    assert fields["version"] == "1"


async def test_one_of_an_older_version_has_the_defaults_for_what_it_lacks(
    on_redis: tuple[RedisStore, Redis],
) -> None:
    store, raw = on_redis
    await store.policies.save(WANTED)
    await raw.hdel(keys.POLICIES, "policies.deepest_sleep", "instead_of.deepest_sleep")  # type: ignore[misc]
    await raw.hset(keys.POLICIES, "policies.of_a_newer_version", "1")  # type: ignore[misc]
    found = await store.policies.get()
    assert found is not None
    assert found.policies == WANTED.policies


async def test_one_that_does_not_parse_counts_as_none(on_redis: tuple[RedisStore, Redis]) -> None:
    store, raw = on_redis
    await store.policies.save(WANTED)
    await raw.hset(keys.POLICIES, "policies.deepest_sleep", "very deep")  # type: ignore[misc]
    assert await store.policies.get() is None


async def test_without_redis_it_is_said() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0", retry_for_s=0.1)
    with pytest.raises(DependencyUnavailable):
        await store.policies.get()
    await store.close()
