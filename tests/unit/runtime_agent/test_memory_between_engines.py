"""What happens on a GPU between two engines: one thing at a time, and memory is seen to be free."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from modelium.common.descriptor import RuntimeKind
from modelium.common.events import LoadModel, RuntimeFailed, RuntimeLoaded, RuntimeUnloaded
from modelium.common.records import Device, DeviceKind
from modelium.common.settings import LauncherKind
from modelium.common.testing import FakeClock, InMemoryBus
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.drain import DrainTracker
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.launcher import Engine, EngineRecord, LaunchSpec, Site, Status
from modelium.runtime_agent.memory import POLL_S, QUIET_S, MemoryMeter
from modelium.runtime_agent.runtime import Health
from modelium.runtime_agent.supervisor import Supervisor
from modelium.runtime_agent.tools import Tools
from tests.agent_fakes import FakeEngine, FakeRuntime
from tests.agent_kit import a_load, an_unload, eventually

TOTAL, HELD, LATE_S = 1000, 600, 1.0


@dataclass
class _Gpu:
    """One GPU; what an engine held is free again `LATE_S` after its end."""

    clock: FakeClock
    taken: int = 0
    given_back: list[tuple[float, int]] = field(default_factory=list)

    def free_bytes(self) -> int:
        due = [bytes_ for at_s, bytes_ in self.given_back if at_s <= self.clock.monotonic()]
        return TOTAL - self.taken + sum(due)

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        kind, free = DeviceKind.CUDA, self.free_bytes()
        return (Device(device_id="gpu", kind=kind, name="", total_bytes=TOTAL, free_bytes=free),)

    def traits(self, device_id: str) -> Traits | None:
        """Large enough for the agent to begin all of them: what is free is measured."""
        return Traits(device_id, DeviceKind.CUDA, 1 << 40)


@dataclass
class _Launcher:
    """Its engines take memory at once; notes what was free when each was started."""

    gpu: _Gpu
    found_free: list[int] = field(default_factory=list)
    running: list["_OnGpu"] = field(default_factory=list)

    def site(self, record: EngineRecord, path: str) -> Site:
        return Site(LauncherKind.PROCESS, path, path, "127.0.0.1", 1)

    async def start(self, spec: LaunchSpec) -> Engine:
        self.found_free.append(self.gpu.free_bytes())
        self.gpu.taken += HELD
        self.running.append(_OnGpu(record=spec.record, clock=self.gpu.clock, gpu=self.gpu))
        return self.running[-1]

    async def adopt(self) -> list[Engine]:
        return []

    def readable_by_engine(self, mode: int, uid: int, gid: int) -> bool:
        return True


@dataclass
class _OnGpu(FakeEngine):
    gpu: _Gpu | None = None

    async def stop(self, grace_s: float) -> None:
        self.end()

    async def kill(self) -> None:
        self.end()
        await super().kill()

    def end(self) -> None:
        if self.now.running and self.gpu is not None:
            self.now = Status(running=False, exit_code=0)
            self.gpu.given_back.append((self.gpu.clock.monotonic() + LATE_S, HELD))


class _Runtime(FakeRuntime):
    def spec(self, command: LoadModel, record: EngineRecord, site: Site, _: object) -> LaunchSpec:
        return LaunchSpec(record=record, site=site, argv=())


@dataclass
class _Rig:
    supervisor: Supervisor
    bus: InMemoryBus
    clock: FakeClock
    launcher: _Launcher
    runtime: _Runtime
    model: Path

    def load(self, model: str) -> None:
        self.supervisor.load(a_load(self.model, model=model, device_ids=("gpu",)))

    async def told(self, kind: type, count: int = 1) -> None:
        async def enough() -> bool:
            return len(self.bus.of(kind)) >= count

        await eventually(enough, f"{kind.__name__} x {count}")

    async def stopped(self, count: int) -> None:
        """So many engines have ended, and somebody polls for their memory."""

        async def have_ended() -> bool:
            return len(self.launcher.gpu.given_back) == count

        await eventually(have_ended, f"{count} engines have ended")
        await self.clock.until_sleeping(1)

    async def seconds(self, seconds: float) -> None:
        for _ in range(round(seconds / POLL_S)):
            await self.clock.advance(POLL_S)


@asynccontextmanager
async def _rig(folder: Path, clock: FakeClock) -> AsyncIterator[_Rig]:
    gpu, bus, runtime = _Gpu(clock), InMemoryBus(), _Runtime(Health.SERVING)
    launcher = _Launcher(gpu)
    model = folder / "model"
    model.mkdir()
    tools = Tools(
        launcher=launcher,
        runtimes={RuntimeKind.VLLM: runtime},
        devices=gpu,
        lanes=Lanes(),
        drains=DrainTracker(clock.monotonic()),
        journal=Journal(folder / "journal"),
        meter=MemoryMeter(gpu, clock, 10.0),
        clock=clock,
        announce=Announcer(bus, clock),
    )
    supervisor = Supervisor(tools, agent_id="local")
    running = asyncio.ensure_future(supervisor.run())
    try:
        yield _Rig(supervisor, bus, clock, launcher, runtime, model)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_the_next_engine_starts_when_the_memory_of_the_last_was_measured_free(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with _rig(tmp_path, clock) as rig:
        rig.load("qwen")
        await rig.told(RuntimeLoaded)
        await clock.until_sleeping(1)
        rig.supervisor.tell(an_unload())
        await rig.stopped(1)
        rig.load("other")
        await clock.advance(0)
        assert (rig.launcher.found_free, rig.bus.of(RuntimeUnloaded)) == ([TOTAL], [])
        await rig.seconds(LATE_S)
        await rig.told(RuntimeLoaded, 2)
        assert rig.launcher.found_free == [TOTAL, TOTAL]
        assert [e.resident_bytes for e in rig.bus.of(RuntimeLoaded)] == [HELD, HELD]


async def test_after_a_crash_the_next_engine_waits_for_its_memory_too(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with _rig(tmp_path, clock) as rig:
        rig.load("qwen")
        await rig.told(RuntimeLoaded)
        await clock.until_sleeping(1)
        rig.launcher.running[0].end()
        await clock.advance(1.0)  # it is looked at once a second
        await rig.stopped(1)
        rig.load("other")
        await rig.seconds(LATE_S)
        assert (rig.launcher.found_free, rig.bus.of(RuntimeFailed)) == ([TOTAL], [])
        await rig.seconds(QUIET_S)
        await rig.told(RuntimeLoaded, 2)
        assert rig.launcher.found_free == [TOTAL, TOTAL]


async def test_a_load_that_fails_gives_its_memory_back_before_the_next_starts(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with _rig(tmp_path, clock) as rig:
        rig.runtime.refuses = "the test request failed"
        rig.load("qwen")
        rig.load("other")
        await rig.stopped(1)
        await rig.seconds(LATE_S)
        assert rig.launcher.found_free == [TOTAL]
        rig.runtime.refuses = ""
        await rig.seconds(QUIET_S)
        await rig.told(RuntimeLoaded)
        assert rig.launcher.found_free == [TOTAL, TOTAL]
        [failure] = rig.bus.of(RuntimeFailed)
        assert failure.memory.engine == "vllm"  # it never said its version
