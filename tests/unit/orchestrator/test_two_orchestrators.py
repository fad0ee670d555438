"""Two orchestrators as their processes wire them, on one bus: one leads, one stands by."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import (
    Command,
    MetricsTick,
    ModelRequested,
    ModelUnloadRequested,
    OrchestratorHeartbeat,
    PlanAsked,
)
from modelium.common.health import Checks
from modelium.common.lease import Lease
from modelium.common.load_settings import Loaded, Settings
from modelium.common.plans import PlanAnswer
from modelium.common.records import ModelRecord, ModelState
from modelium.common.store import Store
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryLeaseCell
from modelium.common.tracing import NO_TRACING, Tracing
from modelium.orchestrator.__main__ import build
from modelium.orchestrator.fenced_bus import FencedBus, NotLeading
from tests.agent_kit import an_unload
from tests.lease_door import Door
from tests.unit.orchestrator.rig import Rig, a_model, loaded, running

SECONDS = 4.0
TAKEN_OVER_S = 9
"""The lease has ended, and everybody has spoken since."""


@dataclass
class Process:
    """The shell of one orchestrator."""

    instance: str
    settings: Settings
    loaded: Loaded
    clock: Clock
    bus: Bus
    store: Store
    lease: Lease
    door: Door
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    tracing: Tracing = NO_TRACING
    checks: Checks = field(default_factory=Checks)
    tasks: list[asyncio.Future[None]] = field(default_factory=list)

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def check(self, name: str, probe: Callable[[], Awaitable[bool]]) -> None:
        raise NotImplementedError

    def before_stop(self, drain: Callable[[], Awaitable[None]]) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.resources.aclose()

    async def kill(self) -> None:
        """Gone without giving anything back."""
        self.door.shut = True
        await self.stop()


async def started(rig: Rig, name: str, cell: InMemoryLeaseCell) -> Process:
    door = Door(cell)
    lease = Lease(door, name="test", holder=name, seconds=SECONDS, clock=rig.clock)
    loaded = Loaded(rig.settings, None, {}, {})
    process = Process(name, rig.settings, loaded, rig.clock, rig.bus, rig.store, lease, door)
    await build(process)
    await rig.clock.advance(0)
    return process


@asynccontextmanager
async def two(*models: ModelRecord, slow: bool = False) -> AsyncIterator[tuple[Rig, list[Process]]]:
    """The first of them leads."""
    cell = InMemoryLeaseCell()
    async with running(*models, slow=slow) as rig:
        await rig.kill()
        processes = [await started(rig, name, cell) for name in ("first", "second")]
        await rig.seconds(3)
        try:
            yield rig, processes
        finally:
            for process in processes:
                await process.stop()


def epochs(rig: Rig) -> list[int | None]:
    """Of all commands, in order."""
    return [command.epoch for command in rig.agent.commands]


async def test_only_the_leader_commands_and_tells() -> None:
    async with two(a_model("a")) as (rig, [first, _]):
        rig.gateway.waits_for("a")
        with capture_logs() as logs:
            await rig.seconds(40)
        assert rig.commands() == ["load a.1"]
        assert not [line for line in logs if line["event"] == "message.not_stored"]
        assert epochs(rig) == [first.lease.epoch]
        assert len(rig.bus.of(MetricsTick)) == 4


async def test_agents_hear_of_a_leader_before_it_commands() -> None:
    async with two(a_model("a")) as (rig, [first, second]):
        rig.gateway.waits_for("a")
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        said = [m for m in rig.bus.published if isinstance(m, OrchestratorHeartbeat | Command)]
        heard = [m for m in said if m.epoch == second.lease.epoch]
        assert isinstance(heard[0], OrchestratorHeartbeat)
        assert heard[0].orchestrator_id == "second"


async def test_a_load_in_flight_goes_on_when_its_leader_is_killed() -> None:
    async with two(a_model("a"), slow=True) as (rig, [first, second]):
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        assert second.lease.epoch is not None
        await rig.agent.finish("a.1")
        await rig.seconds(2)
        assert rig.commands() == ["load a.1"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_a_command_that_died_with_its_leader_is_made_by_the_next() -> None:
    """The agent had acknowledged it and noted nothing; the bus drops an id it has just seen."""
    async with two(a_model("a")) as (rig, [first, second]):
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        await first.kill()
        rig.agent.deaf = False
        await rig.seconds(TAKEN_OVER_S + 11)
        assert rig.commands() == ["load a.1", "load a.1"]
        assert epochs(rig)[1] == second.lease.epoch
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_what_an_operator_asked_the_first_for_the_second_does() -> None:
    async with two(a_model("a"), a_model("b")) as (rig, [first, _]):
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=9)
        await rig.seconds(1)
        await rig.say(ModelRequested(model="b", requested_by="operator"))
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        rig.gateway.says("a", idle_s=1)
        await rig.seconds(8)
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_what_was_unloaded_for_an_operator_is_not_unloaded_again() -> None:
    async with two(a_model("a")) as (rig, [first, _]):
        await loaded(rig, "a")
        await rig.seconds(6)
        await rig.say(ModelUnloadRequested(model="a"))
        await rig.seconds(2)
        await loaded(rig, "a")
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        assert rig.commands() == ["load a.1", "unload a.1", "load a.2"]


async def test_what_would_happen_is_asked_of_the_one_that_leads() -> None:
    async with two(a_model("a")) as (rig, [first, _]):

        async def planned() -> bool:
            answer = await rig.bus.ask(PlanAsked(model="a"), PlanAnswer, timeout_s=5)
            return answer.plan is not None

        assert [await planned() for _ in range(4)] == [True] * 4
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        assert [await planned() for _ in range(4)] == [True] * 4


async def test_after_a_clean_stop_the_other_leads_before_the_lease_has_ended() -> None:
    async with two(a_model("a")) as (rig, [first, second]):
        await first.stop()
        await rig.seconds(1)
        assert second.lease.epoch is not None


async def test_one_that_leads_again_does_not_repeat_the_commands_of_its_first_term() -> None:
    """Nobody waits for the model any more."""
    async with two(a_model("a")) as (rig, [first, second]):
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        first.door.shut = True
        await rig.seconds(TAKEN_OVER_S)
        first.door.shut = False
        assert second.lease.epoch is not None
        rig.gateway.says("a")
        await rig.seconds(2)
        await second.kill()
        before = len(rig.agent.commands)
        await rig.seconds(TAKEN_OVER_S + 11)
        assert first.lease.epoch is not None
        assert len(rig.agent.commands) == before


@asynccontextmanager
async def leading() -> AsyncIterator[tuple[FencedBus, InMemoryBus, FakeClock]]:
    """The fenced bus of a leader, the bus below it, and its clock."""
    clock, below = FakeClock(), InMemoryBus()
    lease = Lease(InMemoryLeaseCell(), name="t", holder="a", seconds=SECONDS, clock=clock)
    task = asyncio.ensure_future(lease.run())
    await clock.advance(0)
    try:
        yield FencedBus(below, lease), below, clock
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_leader_that_was_held_up_sends_nothing_not_even_the_first_message() -> None:
    """Nothing else of its process has run since: that another leads it has not heard yet."""
    async with leading() as (bus, below, clock):
        await bus.publish(an_unload())
        clock.jump(10)
        with pytest.raises(NotLeading):
            await bus.publish(an_unload())
        [sent] = below.of(Command)
        assert isinstance(sent, Command)
        assert sent.epoch == 1
