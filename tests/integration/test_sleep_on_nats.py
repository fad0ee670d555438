"""A sleep from its command to the record in Redis and back: real NATS, Redis and registry.

The agent is the real one, in this process, with a GPU that is as its stub engines say.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from modelium.common import events as ev
from modelium.common.clock import SystemClock
from modelium.common.nats_bus import NatsBus
from modelium.common.records import InstanceState, ModelRecord, ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.drain import LEASE_S
from modelium.runtime_agent.heartbeat import beat
from tests.agent_kit import MIB, a_load, a_sleep, a_wake
from tests.integration.agents import an_agent_on
from tests.integration.sleepers import ASLEEP, HELD, ON_GPU, STUB, a_model
from tests.system import System, stub_python

WAIT_S = 30.0
SLEEP_MEMORY = 777 * MIB
CLOCK = SystemClock()


@dataclass
class _World:
    bus: NatsBus
    store: RedisStore
    model: Path
    beats: list[ev.AgentHeartbeat]

    async def load(self, generation: int = 1) -> None:
        sizes = {**ON_GPU, "kv_cache_bytes": 120 * MIB}
        await self.bus.publish(a_load(self.model, generation=generation, **sizes))

    async def is_(self, state: ModelState, generation: int = 1) -> ModelRecord:
        """The record, once it is in this state."""

        def wanted(record: ModelRecord | None) -> bool:
            return record is not None and (record.state, record.generation) == (state, generation)

        return await self.until(wanted)

    async def until(self, wanted: Callable[[ModelRecord | None], bool]) -> ModelRecord:
        async with asyncio.timeout(WAIT_S):
            while not wanted(record := await self.store.models.get("qwen")):
                await CLOCK.sleep(0.02)
        assert record is not None
        return record


@asynccontextmanager
async def _world(folder: Path, *stub: str) -> AsyncIterator[_World]:
    (folder / "system").mkdir()
    system = System(folder / "system", engine_python=stub_python(folder))
    try:
        system.start("nats", "redis", "registry")
        bus = NatsBus(f"nats://127.0.0.1:{system.ports['nats']}", source="test")
        store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
        await bus.open(timeout_s=10)
        async with _agent(bus, folder, *stub) as beats:
            world = _World(bus, store, a_model(folder), beats)
            await _analysed(world)
            yield world
        await store.close()
        await bus.close()
    finally:
        for child in system.children.values():
            child.kill()
            child.wait(10)


@asynccontextmanager
async def _agent(bus: NatsBus, folder: Path, *stub: str) -> AsyncIterator[list[ev.AgentHeartbeat]]:
    beats: list[ev.AgentHeartbeat] = []

    async def hear(heartbeat: ev.AgentHeartbeat) -> None:
        beats.append(heartbeat)

    async with (
        an_agent_on(bus, folder, *STUB, *stub, on_gpu=True, sleep_mode=True) as agent,
        asyncio.TaskGroup() as group,
    ):
        supervisor, tools = agent
        tools.drains.listening_since_s -= LEASE_S
        said = {"agent_id": "local", "launcher": "process", "interval_s": 0.2}
        beating = beat(supervisor, bus, CLOCK, **said, sleep_memory_bytes=SLEEP_MEMORY)
        tasks = [
            group.create_task(beating),
            group.create_task(bus.follow({ev.AgentHeartbeat: hear})),
        ]
        try:
            yield beats
        finally:
            await supervisor.stop_all(0.0)
            for task in tasks:
                task.cancel()


async def _analysed(world: _World) -> None:
    files = {"model": "qwen", "path": str(world.model), "fingerprint": "f1", "size_bytes": 1}
    await world.bus.publish(ev.ModelDiscovered.model_validate(files))
    await world.until(lambda record: record is not None)
    analysed = files | {"descriptor": a_descriptor()}
    await world.bus.publish(ev.ModelAnalyzed.model_validate(analysed))
    await world.is_(ModelState.UNLOADED, generation=0)


async def test_a_sleep_and_a_wake_are_seen_in_the_record(tmp_path: Path) -> None:
    async with _world(tmp_path) as world:
        await world.load()
        loaded = await world.is_(ModelState.LOADED)
        assert (loaded.resident_bytes, loaded.wake_s, loaded.asleep_bytes) == (HELD, None, 0)

        await world.bus.publish(a_sleep(level=2, drain_s=5.0))
        asleep = await world.is_(ModelState.SLEEPING)
        assert (asleep.asleep_bytes, asleep.sleep_level) == (ASLEEP, 2)
        assert (asleep.endpoint, asleep.reason) == (None, "its weights are on disk only")
        instance = await world.store.instances.get("qwen.1")
        assert instance is not None
        assert (instance.state, instance.sleep_level) == (InstanceState.SLEEPING, 2)

        await world.bus.publish(a_wake())
        awake = await world.is_(ModelState.LOADED)
        assert awake.wake_s is not None
        assert (awake.resident_bytes, awake.asleep_bytes) == (HELD, ASLEEP)
        assert (awake.endpoint, awake.load_s) == (loaded.endpoint, loaded.load_s)
        assert (awake.sleepless, awake.sleep_level) == ("", 0)
        assert {b.sleep_memory_bytes for b in world.beats} == {SLEEP_MEMORY}


async def test_a_model_whose_engine_leaks_is_loaded_again_but_never_slept_again(
    tmp_path: Path,
) -> None:
    async with _world(tmp_path, "--sleep-trap", "keeps-memory") as world:
        await world.load()
        await world.is_(ModelState.LOADED)
        await world.bus.publish(a_sleep(drain_s=5.0))
        failed = await world.is_(ModelState.ERROR)
        assert "has freed 80 MiB" in failed.sleepless
        assert (failed.failures, failed.retry_at, failed.device_ids) == (0, None, ())
        await world.load(generation=2)
        again = await world.is_(ModelState.LOADED, generation=2)
        assert again.sleepless == failed.sleepless


async def test_a_model_that_is_another_after_its_wake_is_not_served(tmp_path: Path) -> None:
    async with _world(tmp_path, "--sleep-trap", "wrong-after-wake") as world:
        await world.load()
        await world.is_(ModelState.LOADED)
        await world.bus.publish(a_sleep(drain_s=5.0))
        await world.is_(ModelState.SLEEPING)
        await world.bus.publish(a_wake())
        failed = await world.is_(ModelState.ERROR)
        assert "otherwise than before it slept" in failed.sleepless
        assert failed.endpoints == ()
