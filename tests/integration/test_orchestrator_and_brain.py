"""Registry, orchestrator and brain as processes on real NATS and Redis; the test plays an agent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelium.common import events as ev
from modelium.common.clock import SystemClock
from modelium.common.figures import DecidedAction
from modelium.common.nats_bus import NatsBus
from modelium.common.records import ModelRecord, ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.settings import GIB
from modelium.common.testing import a_descriptor, a_device
from tests.system import System, stub_python
from tests.unit.orchestrator.scripted import Agent, Gateway

WAIT_S = 40.0
BEAT_S = 0.3
CLOCK = SystemClock()
SLOT = a_device(total_bytes=6 * GIB, free_bytes=6 * GIB)
"""Room for one engine of the sample model, by the default settings, and not for two."""
POLICIES = {
    "evict_after_idle_seconds": 2.0,
    "evict_idle_always": True,
    "min_residency_seconds": 0.5,
}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    folder = tmp_path / "system"
    folder.mkdir()
    settings = {"orchestration": {"policies": POLICIES}}
    system = System(folder, engine_python=stub_python(folder), settings=settings)
    try:
        system.start("nats", "redis", "registry", "orchestrator", "brain")
        yield system
    finally:
        for child in system.children.values():
            child.kill()
            child.wait(10)


@dataclass
class Outside:
    """The agent, the gateway and an observer."""

    bus: NatsBus
    store: RedisStore
    agent: Agent
    gateway: Gateway
    decisions: list[ev.DecisionMade] = field(default_factory=list)

    async def hear(self, decision: ev.DecisionMade) -> None:
        self.decisions.append(decision)

    async def beat(self) -> None:
        while True:
            await self.agent.beat()
            await self.gateway.beat()
            await CLOCK.sleep(BEAT_S)

    async def drop(self, model: str) -> None:
        """As the watcher announces it."""
        path, files = f"/models/{model}", {"fingerprint": "f1", "size_bytes": 1}
        await self.bus.publish(ev.ModelDiscovered(path=path, model=model, **files))
        await self.bus.publish(
            ev.ModelAnalyzed(path=path, model=model, descriptor=a_descriptor(), **files)
        )
        await self.until(model, lambda record: record.state is ModelState.UNLOADED)

    async def until(self, model: str, wanted: Callable[[ModelRecord], bool]) -> None:
        await self.see(lambda record: record is not None and wanted(record), model)

    async def see(self, wanted: Callable[[ModelRecord | None], bool], model: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while not wanted(await self.store.models.get(model)):
                await CLOCK.sleep(0.05)

    def said(self, origin: str) -> list[ev.DecisionMade]:
        return [decision for decision in self.decisions if decision.origin == origin]

    def evicted_by(self, origin: str) -> list[str]:
        """The models that `origin` said to evict, in order."""
        decisions = [decision for message in self.said(origin) for decision in message.decisions]
        return [d.model for d in decisions if d.action is DecidedAction.EVICT]


@asynccontextmanager
async def outside(system: System) -> AsyncIterator[Outside]:
    bus = NatsBus(f"nats://127.0.0.1:{system.ports['nats']}", source="test")
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    await bus.open(timeout_s=10)
    agent = Agent(bus, (SLOT,))
    world = Outside(bus, store, agent, Gateway(bus))
    orders = {ev.LoadModel: agent.on_load_model, ev.UnloadModel: agent.on_unload_model}
    work = [
        bus.consume("agent-local", orders, agent_id="local"),
        bus.follow({ev.DecisionMade: world.hear}),
        world.beat(),
    ]
    tasks = [asyncio.ensure_future(job) for job in work]
    try:
        yield world
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.close()


def is_(state: ModelState) -> Callable[[ModelRecord], bool]:
    return lambda record: record.state is state


async def kill(system: System, name: str) -> None:
    child = system.children.pop(name)
    child.kill()
    await asyncio.to_thread(child.wait, 10)


async def test_two_models_take_turns_and_each_is_planned_by_the_brain(system: System) -> None:
    async with outside(system) as world:
        for model in ("a", "b"):
            await world.drop(model)
        for model in ("a", "b", "a"):
            world.gateway.waits_for(model)
            await world.until(model, is_(ModelState.LOADED))
            world.gateway.says(model, requests=1, idle_s=0)
        plans = {d.plan.model for d in world.said("brain") if d.plan}
        assert plans == {"a", "b"}


async def test_an_orchestrator_killed_with_a_command_on_its_way_loads_the_model_once(
    system: System,
) -> None:
    async with outside(system) as world:
        await world.drop("a")
        world.agent.deaf = True
        world.gateway.waits_for("a")
        async with asyncio.timeout(WAIT_S):
            while not world.agent.commands:
                await CLOCK.sleep(0.05)
        first = world.agent.commands[0]
        assert isinstance(first, ev.LoadModel)
        await kill(system, "orchestrator")
        await asyncio.to_thread(system.start, "orchestrator")
        world.agent.deaf = False
        await world.agent.on_load_model(first)
        await world.until("a", is_(ModelState.LOADED))
        assert {command.instance_id for command in world.agent.commands} == {"a.1"}


async def test_who_waits_is_served_after_nats_was_killed(system: System) -> None:
    async with outside(system) as world:
        await world.drop("a")
        await kill(system, "nats")
        await asyncio.to_thread(system.start, "nats")
        world.gateway.waits_for("a")
        await world.until("a", is_(ModelState.LOADED))


async def test_the_rules_unload_the_idle_model_when_the_brain_is_gone(system: System) -> None:
    async with outside(system) as world:
        await world.drop("a")
        world.gateway.waits_for("a")
        await world.until("a", is_(ModelState.LOADED))
        await kill(system, "brain")
        world.gateway.says("a", requests=1, idle_s=60)
        await world.until("a", is_(ModelState.UNLOADED))
        evicted = [
            d for m in world.said("orchestrator") for d in m.decisions if d.action == "evict"
        ]
        assert [decision.model for decision in evicted][:1] == ["a"]


async def test_while_the_brain_lives_it_is_the_one_who_evicts(system: System) -> None:
    async with outside(system) as world:
        await world.drop("a")
        world.gateway.waits_for("a")
        await world.until("a", is_(ModelState.LOADED))
        world.gateway.says("a", requests=1, idle_s=60)
        await world.until("a", is_(ModelState.UNLOADED))
        assert world.evicted_by("brain")[:1] == ["a"]
