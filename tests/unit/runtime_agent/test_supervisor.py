"""What an agent does with all its engines together."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from pathlib import Path

import pytest

from modelium.common.descriptor import RuntimeKind
from modelium.common.events import (
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloaded,
    RuntimeUnloading,
)
from modelium.common.records import FailureKind, InstanceState
from modelium.common.subjects import OLDEST_LOAD_S
from modelium.common.testing import FakeClock, InMemoryBus
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.drain import DrainTracker
from modelium.runtime_agent.instance import STOP_MARGIN_S
from modelium.runtime_agent.journal import Entry, Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.launcher import Status
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.runtime import Health, Work
from modelium.runtime_agent.supervisor import KILL_S, STOP_S, Supervisor
from modelium.runtime_agent.tools import Tools
from tests.agent_fakes import FakeDevices, FakeEngine, FakeLauncher, FakeRuntime
from tests.agent_kit import E, a_load, a_record, a_wake, an_unload, heard

GIB = 1 << 30

NAMES = ("a", "b", "c")


@dataclass
class _Agent:
    supervisor: Supervisor
    bus: InMemoryBus
    runtime: FakeRuntime
    drains: DrainTracker

    async def told(self, kind: type[E], count: int = 1) -> E:
        """The last event of `kind`, once there are `count` of them."""
        return await heard(self.bus, kind, count=count)


@asynccontextmanager
async def _agent(
    folder: Path,
    clock: FakeClock,
    *engines: FakeEngine,
    state: InstanceState = InstanceState.LOADED,
    resident_bytes: int = 0,
) -> AsyncIterator[_Agent]:
    """An agent that has adopted these engines, all of which have served."""
    bus, devices, runtime = InMemoryBus(), FakeDevices(), FakeRuntime(Health.SERVING)
    tools = Tools(
        launcher=FakeLauncher(engines),
        runtimes={RuntimeKind.VLLM: runtime},
        devices=devices,
        lanes=Lanes(),
        drains=DrainTracker(clock.monotonic()),
        journal=Journal(folder),
        meter=MemoryMeter(devices, clock, 5.0),
        clock=clock,
        announce=Announcer(bus, clock),
    )
    for engine in engines:
        level = int(state is InstanceState.SLEEPING)
        known = {"served": True, "sleep_level": level, "resident_bytes": resident_bytes}
        entry = Entry.model_validate({"record": engine.record, "state": state, **known})
        await tools.journal.write(entry)
    supervisor = Supervisor(tools, agent_id="local")
    await supervisor.adopt()
    running = asyncio.ensure_future(supervisor.run())
    try:
        await clock.until_sleeping(len(engines))
        yield _Agent(supervisor, bus, runtime, tools.drains)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_engines_of_one_device_are_stopped_together_when_the_agent_ends(
    tmp_path: Path, clock: FakeClock
) -> None:
    engines = [FakeEngine(a_record(name), clock=clock) for name in NAMES]
    async with _agent(tmp_path, clock, *engines) as agent:
        stopping = asyncio.ensure_future(agent.supervisor.stop_all(0.0))
        await agent.told(RuntimeUnloading, len(NAMES))
        async with asyncio.timeout(5):
            await clock.until_sleeping(1 + len(NAMES))
        await clock.advance(STOP_S - 1.0)
        async with asyncio.timeout(5):
            await stopping
        await agent.told(RuntimeUnloaded, len(NAMES))


async def test_engines_that_do_not_stop_are_killed_before_the_agent_itself_would_be(
    tmp_path: Path, clock: FakeClock
) -> None:
    engine = FakeEngine()
    async with _agent(tmp_path, clock, engine) as agent:
        stopping = asyncio.ensure_future(agent.supervisor.stop_all(0.0))
        await clock.until_sleeping(1)
        await clock.advance(STOP_S)
        async with asyncio.timeout(5):
            await stopping
        assert engine.killed
        await agent.told(RuntimeUnloaded)


async def test_a_sleeping_engine_that_does_not_stop_gets_no_time_for_requests(
    tmp_path: Path, clock: FakeClock
) -> None:
    engine = FakeEngine(clock=clock)
    async with _agent(tmp_path, clock, engine, state=InstanceState.SLEEPING) as agent:
        agent.supervisor.tell(an_unload(drain_s=600))
        await agent.told(RuntimeUnloading)
        async with asyncio.timeout(5):
            await clock.until_sleeping(1)
        await clock.advance(STOP_MARGIN_S)
        await agent.told(RuntimeUnloaded)
        assert engine.killed


async def test_nobody_waits_for_an_engine_that_cannot_even_be_killed(
    tmp_path: Path, clock: FakeClock
) -> None:
    engine = FakeEngine()
    async with _agent(tmp_path, clock, engine) as agent:
        engine.away = True
        stopping = asyncio.ensure_future(agent.supervisor.stop_all(0.0))
        await clock.until_sleeping(1)
        await clock.advance(STOP_S + KILL_S)
        async with asyncio.timeout(5):
            await stopping


async def test_one_engine_that_docker_fails_for_does_not_end_the_agent(
    tmp_path: Path, clock: FakeClock
) -> None:
    failing, other = FakeEngine(a_record("a")), FakeEngine(a_record("b"))
    async with _agent(tmp_path, clock, failing, other) as agent:
        failing.away = True
        agent.runtime.answers = Health.DEAD
        await clock.advance(1.0)
        await agent.told(RuntimeFailed)
        assert [i.model for i in agent.supervisor.instances()] == ["a"]
        failing.away = False
        await clock.advance(1.0)
        await agent.told(RuntimeFailed, 2)


async def test_a_docker_that_is_restarted_takes_its_engines_along_and_the_agent_goes_on(
    tmp_path: Path, clock: FakeClock
) -> None:
    engines = FakeEngine(a_record("a")), FakeEngine(a_record("b"))
    async with _agent(tmp_path, clock, *engines) as agent:
        agent.runtime.answers = Health.STARTING  # nobody listens any more
        for engine in engines:
            engine.away = True
        await clock.advance(agent.runtime.limits.silence_timeout_s - 5)
        assert [i.model for i in agent.supervisor.instances()] == ["a", "b"]
        for engine in engines:
            engine.now = Status(running=False, exit_code=137)
            engine.away = False
        await clock.advance(1.0)
        failed = await agent.told(RuntimeFailed, 2)
        assert failed.kind is FailureKind.CRASHED
        assert failed.reason == "The engine broke down (exit code 137); it last said: INFO fine"
        assert all(engine.forgotten for engine in engines)
        agent.supervisor.load(a_load(tmp_path, model="a", generation=2))
        await agent.told(RuntimeLoading)


@pytest.mark.parametrize("zone", [UTC, None])
async def test_a_load_that_was_commanded_long_ago_is_refused_without_blame(
    tmp_path: Path, clock: FakeClock, zone: tzinfo | None
) -> None:
    at = (clock.now() - timedelta(seconds=OLDEST_LOAD_S + 1)).replace(tzinfo=zone)
    async with _agent(tmp_path, clock) as agent:
        agent.supervisor.load(a_load(tmp_path, occurred_at=at))
        assert (await agent.told(RuntimeFailed)).kind is FailureKind.CANCELLED
        assert agent.supervisor.instances() == ()


async def test_a_load_that_has_waited_a_little_is_begun(tmp_path: Path, clock: FakeClock) -> None:
    at = clock.now() - timedelta(seconds=OLDEST_LOAD_S - 1)
    async with _agent(tmp_path, clock) as agent:
        agent.supervisor.load(a_load(tmp_path, occurred_at=at))
        await agent.told(RuntimeLoading)


async def test_a_load_into_memory_that_other_engines_hold_is_refused_without_blame(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Who commanded it knew nothing of an engine that runs here."""
    async with _agent(tmp_path, clock, FakeEngine(a_record("a"))) as agent:
        agent.supervisor.load(a_load(tmp_path, model="b", reserve_bytes=16 * GIB))
        refused = await agent.told(RuntimeFailed)
        assert (refused.model, refused.kind) == ("b", FailureKind.NO_ROOM)
        agent.supervisor.load(a_load(tmp_path, model="c", reserve_bytes=15 * GIB))
        await agent.told(RuntimeLoading)


def _large(model: str) -> FakeEngine:
    """Of two thirds of the device."""
    return FakeEngine(a_record(model).model_copy(update={"reserved_bytes": 10 * GIB}))


async def test_a_sleeping_engine_counts_with_what_it_keeps(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Others were put to sleep for the rest, and a load into that was refused."""
    asleep = {"state": InstanceState.SLEEPING, "resident_bytes": GIB}
    async with _agent(tmp_path, clock, _large("a"), **asleep) as agent:
        agent.supervisor.load(a_load(tmp_path, model="b", reserve_bytes=16 * GIB))
        assert (await agent.told(RuntimeFailed)).kind is FailureKind.NO_ROOM
        agent.supervisor.load(a_load(tmp_path, model="c", reserve_bytes=15 * GIB))
        await agent.told(RuntimeLoading)


async def test_an_engine_that_is_told_to_wake_counts_as_a_whole_and_another_sleeps_on(
    tmp_path: Path, clock: FakeClock
) -> None:
    asleep = {"state": InstanceState.SLEEPING, "resident_bytes": GIB}
    async with _agent(tmp_path, clock, _large("a"), _large("qwen"), **asleep) as agent:
        await agent.told(RuntimeSleeping, 2)
        wake = a_wake()
        agent.supervisor.tell(wake.model_copy(update={"model": "a", "instance_id": "a.1"}))
        agent.supervisor.load(a_load(tmp_path, model="b", reserve_bytes=10 * GIB))
        assert (await agent.told(RuntimeFailed)).model == "b"
        agent.supervisor.tell(wake)
        assert (await agent.told(RuntimeSleeping, 3)).model == "qwen"
        assert agent.supervisor.instances()[1].state is InstanceState.SLEEPING


async def test_a_copy_is_begun_beside_the_engine_of_its_model_in_memory_of_its_own(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with _agent(tmp_path, clock, FakeEngine(clock=clock)) as agent:
        beside = a_load(tmp_path, generation=2, is_copy=True)
        agent.supervisor.load(beside.model_copy(update={"reserve_bytes": 16 * GIB}))
        failed = await agent.told(RuntimeFailed)
        assert (failed.instance_id, failed.kind) == ("qwen.2", FailureKind.NO_ROOM)
        agent.supervisor.load(a_load(tmp_path, generation=3, is_copy=True))
        assert (await agent.told(RuntimeLoading)).instance_id == "qwen.3"
        states = {i.instance_id: i.state for i in agent.supervisor.instances()}
        assert states["qwen.1"] is InstanceState.LOADED
        assert agent.bus.of(RuntimeUnloading) == []


async def test_an_old_load_of_an_engine_that_runs_is_answered_with_its_state(
    tmp_path: Path, clock: FakeClock
) -> None:
    at = clock.now() - timedelta(hours=1)
    async with _agent(tmp_path, clock, FakeEngine()) as agent:
        agent.supervisor.load(a_load(tmp_path, occurred_at=at))
        await agent.told(RuntimeLoaded, 2)


async def test_an_engine_that_hangs_while_it_is_drained_is_not_waited_for(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Else whoever its memory is for would wait for the whole of a drain."""
    engine = FakeEngine(a_record("a"))
    async with _agent(tmp_path, clock, engine) as agent:
        agent.drains.missed_some(math.inf)  # nobody is seen to let go
        agent.runtime.at, agent.runtime.refuses = Work(1, "stuck"), "no answer within 15 s"
        await clock.advance(10)
        agent.supervisor.tell(an_unload(drain_s=600, model="a"))
        await agent.told(RuntimeUnloading)
        await clock.advance(agent.runtime.limits.silence_timeout_s)
        failed = await agent.told(RuntimeFailed)
        assert failed.kind is FailureKind.TIMEOUT
        assert engine.killed
        assert not [m for m in agent.bus.published if isinstance(m, RuntimeUnloaded)]


async def test_an_engine_that_gets_on_is_drained_to_the_deadline(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with _agent(tmp_path, clock, FakeEngine(a_record("a"), clock=clock)) as agent:
        agent.drains.missed_some(math.inf)
        agent.supervisor.tell(an_unload(drain_s=600, model="a"))
        await agent.told(RuntimeUnloading)
        agent.runtime.at = Work(1, "slow")
        await clock.advance(590)
        assert [i.state for i in agent.supervisor.instances()] == [InstanceState.UNLOADING]
        await clock.advance(40)
        await agent.told(RuntimeUnloaded)
