"""What every store does, in memory and on Redis; and what only Redis can do."""

import asyncio
from datetime import UTC, datetime

import pytest

from modelium.common import keys
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.records import ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.store import Store
from modelium.common.testing import (
    FakeClock,
    a_descriptor,
    a_device,
    a_memory_record,
    a_model_record,
    an_agent_record,
    an_instance_record,
    in_memory_store,
)
from tests.contract.stores import opened
from tests.servers import Server
from tests.system import free_port


async def test_what_was_never_saved_is_none(store: Store) -> None:
    assert await store.models.get("qwen") is None
    assert await store.agents.get("local") is None
    assert await store.models.all() == []


async def test_a_saved_record_is_read_as_it_was(store: Store) -> None:
    record = a_model_record(
        state=ModelState.LOADED,
        reason="all is well, at 100 % – «really»",
        device_ids=("GPU-1", "GPU-2"),
        load_s=1.5,
        loaded_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    )
    saved = await store.models.save(record)
    assert saved.version == 1
    assert saved.updated_at is not None
    assert saved == record.model_copy(update={"version": 1, "updated_at": saved.updated_at})
    assert await store.models.get("qwen") == saved


async def test_fields_that_are_none_again_are_gone(store: Store) -> None:
    loaded = await store.models.save(a_model_record(endpoint="http://127.0.0.1:1"))
    await store.models.save(loaded.model_copy(update={"endpoint": None, "descriptor": None}))
    found = await store.models.get("qwen")
    assert found is not None
    assert (found.endpoint, found.descriptor, found.version) == (None, None, 2)


async def test_all_are_ordered_by_id(store: Store) -> None:
    for name in ("b", "c", "a"):
        await store.models.save(a_model_record(model=name))
    assert [record.model for record in await store.models.all()] == ["a", "b", "c"]


async def test_a_save_from_an_old_version_conflicts_and_changes_nothing(store: Store) -> None:
    first = await store.models.save(a_model_record())
    second = await store.models.save(first.model_copy(update={"reason": "second"}))
    with pytest.raises(Conflict):
        await store.models.save(first.model_copy(update={"reason": "late"}))
    assert await store.models.get("qwen") == second


async def test_a_new_record_conflicts_with_one_that_is_there(store: Store) -> None:
    await store.models.save(a_model_record())
    with pytest.raises(Conflict):
        await store.models.save(a_model_record())


async def test_a_deleted_record_cannot_be_saved_again_from_its_old_version(store: Store) -> None:
    saved = await store.models.save(a_model_record())
    await store.models.delete("qwen")
    with pytest.raises(Conflict):
        await store.models.save(saved)
    assert await store.models.all() == []


async def test_of_many_saves_at_once_one_wins(store: Store) -> None:
    first = await store.models.save(a_model_record())
    attempts = [
        store.models.save(first.model_copy(update={"reason": f"writer {number}"}))
        for number in range(8)
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    found = await store.models.get("qwen")
    assert found is not None
    assert found.version == 2


async def test_a_record_that_was_saved_in_between_is_not_deleted(store: Store) -> None:
    """Whoever decided to forget it had not seen that."""
    first = await store.models.save(a_model_record())
    second = await store.models.save(first.model_copy(update={"reason": "second"}))
    with pytest.raises(Conflict):
        await store.models.delete("qwen", version=first.version)
    assert await store.models.get("qwen") == second
    await store.models.delete("qwen", version=second.version)
    await store.models.delete("qwen", version=second.version)
    assert await store.models.all() == []


async def test_delete_forgets_and_may_be_repeated(store: Store) -> None:
    await store.instances.save(an_instance_record())
    for _ in range(2):
        await store.instances.delete("qwen.1")
    assert await store.instances.get("qwen.1") is None
    assert await store.instances.all() == []


async def test_kinds_do_not_mix(store: Store) -> None:
    await store.models.save(a_model_record())
    await store.instances.save(an_instance_record())
    assert [record.instance_id for record in await store.instances.all()] == ["qwen.1"]
    assert [record.model for record in await store.models.all()] == ["qwen"]


async def test_an_agent_is_renewed_whatever_was_there(store: Store) -> None:
    devices = (a_device(name="CPU slot 0, the big one"), a_device(device_id="cpu-local-1"))
    await store.agents.renew(an_agent_record(), ttl_s=60)
    await store.agents.renew(an_agent_record(devices=devices, instances=("qwen.1",)), ttl_s=60)
    [found] = await store.agents.all()
    assert found.devices == devices
    assert found.instances == ("qwen.1",)


async def test_measured_memory_is_one_figure_for_files_engine_and_kind(store: Store) -> None:
    on_cpu = await store.memory.save(a_memory_record())
    on_gpu = await store.memory.save(a_memory_record(device_kind="cuda"))
    newer = await store.memory.save(a_memory_record(engine="vllm-2.0"))
    assert await store.memory.all() == [on_cpu, on_gpu, newer]
    with pytest.raises(Conflict):
        await store.memory.save(a_memory_record())


async def test_ping_answers(store: Store) -> None:
    assert await store.ping()


async def test_an_agent_that_is_not_renewed_expires_in_memory(clock: FakeClock) -> None:
    store = await in_memory_store(clock=clock)
    await store.agents.renew(an_agent_record(), ttl_s=5)
    await clock.advance(4.9)
    assert await store.agents.get("local") is not None
    await clock.advance(0.1)
    assert await store.agents.get("local") is None
    assert await store.agents.all() == []


async def test_an_agent_that_is_not_renewed_expires_in_redis(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        await store.agents.renew(an_agent_record(), ttl_s=5)
        assert 4000 < await raw.pttl(keys.agent("local")) <= 5000
        await store.agents.renew(an_agent_record(), ttl_s=0.05)
        async with asyncio.timeout(5):
            while await raw.exists(keys.agent("local")):
                pass
        assert await store.agents.get("local") is None
        assert await store.agents.all() == []


async def test_a_model_reads_like_a_status_page(redis: Server) -> None:
    record = a_model_record(
        state=ModelState.LOADED,
        device_ids=("GPU-1", "GPU-2"),
        descriptor=a_descriptor(),
        loaded_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    async with opened(redis) as (store, raw):
        await store.models.save(record)
        page = await raw.hgetall(keys.model("qwen"))
        assert await raw.smembers(keys.MODELS) == {"qwen"}
    assert page["state"] == "loaded"
    assert page["descriptor.architecture"] == "Qwen2ForCausalLM"
    assert page["descriptor.has_chat_template"] == "true"
    assert page["descriptor.weight_bytes"] == "1000000000"
    assert page["device_ids"] == "GPU-1,GPU-2"
    assert page["loaded_at"] == "2026-01-02T03:04:05Z"
    assert page["version"] == "1"
    assert "endpoint" not in page


async def test_measured_memory_reads_by_eye_and_is_forgotten_by_hand(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        saved = await store.memory.save(a_memory_record())
        key = "modelium:memory:f1:vllm-1.0:cpu"
        page = await raw.hgetall(key)
        assert await raw.smembers(keys.MEMORY) == {saved.memory_id}
        await raw.delete(key)
        assert await store.memory.all() == []
        assert (await store.memory.save(a_memory_record())).version == 1
    assert page["highest_bytes"] == "3000000000"
    assert (page["loads"], page["device_kind"], page["engine"]) == ("1", "cpu", "vllm-1.0")


async def test_a_record_spoiled_by_hand_is_passed_over(redis: Server) -> None:
    async with opened(redis) as (store, raw):
        for name in ("good", "spoiled"):
            await store.models.save(a_model_record(model=name))
        await raw.hset(keys.model("spoiled"), "state", "dancing")
        assert [record.model for record in await store.models.all()] == ["good"]


async def test_records_survive_a_killed_redis_and_the_store_reconnects(own_redis: Server) -> None:
    store = RedisStore(own_redis.url)
    saved = await store.models.save(a_model_record())
    await asyncio.to_thread(own_redis.kill)
    assert not await store.ping()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(store.models.get("qwen"))
        group.create_task(asyncio.to_thread(own_redis.start))
    assert reading.result() == saved
    assert (await store.models.save(saved)).version == 2
    await store.close()


async def test_a_store_that_stays_away_says_what_to_do() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0", retry_for_s=0.2)
    assert not await store.ping()
    with pytest.raises(DependencyUnavailable, match=r"does not answer.*redis\.url"):
        await store.models.all()
    await store.close()
