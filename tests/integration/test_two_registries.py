"""Two registries as processes on real NATS and Redis, under load, when the one that leads is killed
or held up: every model's record ends as the events in their order make it.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest

from modelium.common import events as ev
from modelium.common.clock import SystemClock
from modelium.common.nats_bus import NatsBus
from modelium.common.records import ModelRecord, ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_descriptor
from tests.pairs import Pair
from tests.system import System, stub_python

CLOCK = SystemClock()
WAIT_S = 60.0
MODELS = tuple(f"m{number}" for number in range(15))
GENERATIONS = 6


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    folder = tmp_path / "system"
    folder.mkdir()
    system = System(folder, engine_python=stub_python(folder))
    try:
        system.start("nats", "redis", "registry")
        yield system
    finally:
        for child in system.children.values():
            child.send_signal(signal.SIGCONT)
            child.kill()
            child.wait(10)


@pytest.fixture
def pair(system: System) -> Pair:
    return Pair(system, "registry")


def files_of(model: str) -> list[ev.Message]:
    """As the watcher says it."""
    known: dict[str, Any] = {"model": model, "path": f"/models/{model}", "fingerprint": "f1"}
    return [
        ev.ModelDiscovered(**known, size_bytes=1),
        ev.ModelAnalyzing(**known, size_bytes=1),
        ev.ModelAnalyzed(**known, size_bytes=1, descriptor=a_descriptor()),
    ]


def life_of(model: str, generation: int) -> list[ev.Message]:
    """One engine from its start to its end, as an agent says it."""
    engine: dict[str, Any] = {
        "model": model,
        "instance_id": f"{model}.{generation}",
        "agent_id": "local",
        "device_ids": ("cpu-local-0",),
        "generation": generation,
    }
    serves = {"endpoint": f"http://{model}", "reserved_bytes": 1, "resident_bytes": 1}
    return [
        ev.RuntimeLoading(**engine, reserved_bytes=1),
        ev.RuntimeLoaded(**engine, **serves),
        ev.RuntimeUnloading(**engine),
        ev.RuntimeUnloaded(**engine),
    ]


class Outside:
    """The watcher, the agent, and a reader of records."""

    def __init__(self, system: System, client: Any) -> None:
        self.bus = NatsBus(f"nats://127.0.0.1:{system.ports['nats']}", source="test")
        self.store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
        self.client = client
        self.dead: list[str] = []

    async def say(self, generations: range, *, files: bool = False) -> None:
        """For all models side by side, so that every registry has all of them in hand."""
        async with asyncio.TaskGroup() as group:
            for model in MODELS:
                messages = files_of(model) if files else []
                for generation in generations:
                    messages += life_of(model, generation)
                group.create_task(self._say(messages))

    async def _say(self, messages: list[ev.Message]) -> None:
        for message in messages:
            await self.bus.publish(message)

    async def under_way(self) -> None:
        """Until some engine has ended, while most have not begun."""
        async with asyncio.timeout(WAIT_S):
            while not any(r.ended_generation for r in await self.store.models.all()):
                await CLOCK.sleep(0.01)

    async def records(self, wanted: int) -> list[ModelRecord]:
        """All of them, once each has seen the end of generation `wanted`."""
        found: list[ModelRecord] = []
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    found = await self.store.models.all()
                    if [r.ended_generation for r in found] == [wanted] * len(MODELS):
                        return found
                    await CLOCK.sleep(0.05)
        except TimeoutError:
            seen = {r.model: (r.state.value, r.ended_generation) for r in found}
            raise AssertionError(f"not all have ended {wanted}: {seen}") from None

    async def dead_letters(self) -> int:
        """How many events could not be applied."""
        info = await self.client.jetstream().stream_info("MODELIUM_DEAD")
        return int(info.state.messages)


@asynccontextmanager
async def outside(system: System) -> AsyncIterator[Outside]:
    client = await nats.connect(f"nats://127.0.0.1:{system.ports['nats']}")
    world = Outside(system, client)
    await world.bus.open(timeout_s=10)
    try:
        yield world
    finally:
        await world.bus.close()
        await world.store.close()
        await client.close()


async def ends_well(world: Outside) -> None:
    for record in await world.records(GENERATIONS):
        assert record.state is ModelState.UNLOADED
        assert record.descriptor is not None
    assert await world.dead_letters() == 0
    assert await world.store.instances.all() == []


async def test_no_event_is_lost_or_applied_late_when_the_leader_is_killed(
    system: System, pair: Pair
) -> None:
    leader = await asyncio.to_thread(pair.leader)
    async with outside(system) as world:
        async with asyncio.TaskGroup() as group:
            group.create_task(world.say(range(1, GENERATIONS + 1), files=True))
            await world.under_way()
            await asyncio.to_thread(system.kill, leader)
        await ends_well(world)


async def test_a_registry_that_was_held_up_and_goes_on_changes_nothing(
    system: System, pair: Pair
) -> None:
    leader = await asyncio.to_thread(pair.leader)
    async with outside(system) as world:
        async with asyncio.TaskGroup() as group:
            group.create_task(world.say(range(1, 4), files=True))
            await world.under_way()
            with pair.held_up(leader):
                await asyncio.to_thread(pair.wait_for, pair.other(leader))
                await world.records(3)
        await world.say(range(4, GENERATIONS + 1))
        await ends_well(world)
