"""A whole agent in this process: real engines' processes (the stub), a bus in memory."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from modelium.common.bus import Bus, bind
from modelium.common.clock import SystemClock
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import Message, RuntimeEvent, RuntimeLoaded
from modelium.common.records import Device, DeviceKind, InstanceState
from modelium.common.settings import RayServe, Vllm
from modelium.common.testing import InMemoryBus
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.devices import CpuSlots, Traits
from modelium.runtime_agent.drain import LEASE_S, DrainTracker
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.fence import Fence, fenced
from modelium.runtime_agent.handlers import COMMANDS, FOLLOWED
from modelium.runtime_agent.host_package import linked_package
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.process_tree import MARKER
from modelium.runtime_agent.processes import ProcessLauncher
from modelium.runtime_agent.runtimes.ray_serve import RayServeRuntime
from modelium.runtime_agent.runtimes.vllm import VllmRuntime
from modelium.runtime_agent.supervisor import Supervisor
from modelium.runtime_agent.tools import Tools
from tests.agent_kit import E, a_load, eventually, heard, is_alive
from tests.system import stub_python

GPU = "GPU-1"
GPU_BYTES = 1 << 30


@dataclass
class StubGpu:
    """One GPU, of which the stub engines that still live hold what they say."""

    folder: Path

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        held = sum(
            int(said.read_text()) for said in self.folder.glob("*.bytes") if _lives(int(said.stem))
        )
        free = GPU_BYTES - held
        kind = DeviceKind.CUDA
        return (Device(device_id=GPU, kind=kind, name="", total_bytes=GPU_BYTES, free_bytes=free),)

    def traits(self, device_id: str) -> Traits | None:
        return Traits(GPU, DeviceKind.CUDA, GPU_BYTES) if device_id == GPU else None


def _lives(pid: int) -> bool:
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


@dataclass
class RunningAgent:
    """What a test does to an agent, and sees of it."""

    supervisor: Supervisor
    bus: InMemoryBus
    drains: DrainTracker
    folder: Path
    tools: Tools

    async def send(self, message: Message) -> None:
        await self.bus.publish(message)

    @property
    def events(self) -> list[RuntimeEvent]:
        return [m for m in self.bus.published if isinstance(m, RuntimeEvent)]

    @property
    def kinds(self) -> list[type[RuntimeEvent]]:
        return [type(event) for event in self.events]

    async def heard(self, kind: type[E], *, count: int = 1, within_s: float = 30.0) -> E:
        """The newest event of `kind`, once there are `count` of them."""
        return await heard(self.bus, kind, count=count, within_s=within_s)

    def processes(self) -> list[psutil.Process]:
        """Of engines that were started below this agent's folder, oldest first."""
        found = [p for p in psutil.process_iter() if self._is_mine(p)]
        return sorted(found, key=lambda p: p.create_time())

    def loading_processes(self) -> list[str]:
        instances = self.supervisor.instances()
        loading = [i.instance_id for i in instances if i.state is InstanceState.LOADING]
        started = {p.environ()[MARKER].split("@")[0] for p in self.processes()}
        return [instance for instance in loading if instance in started]

    async def until_processes(self, count: int) -> None:
        async def are_there() -> bool:
            return len(self.processes()) >= count

        await eventually(are_there, f"{count} processes")

    def listen_for_long(self) -> None:
        """As if the agent had been listening to gateways for a while."""
        self.drains.listening_since_s -= LEASE_S

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return (
                is_alive(process)
                and MARKER in process.environ()
                and process.cwd() == str(self.folder)
            )
        except psutil.Error:
            return False


@asynccontextmanager
async def an_agent(tmp_path: Path, *stub: str, **settings: Any) -> AsyncIterator[RunningAgent]:
    """An agent that was just started; it leaves its engines running, like a killed one."""
    bus = InMemoryBus()
    async with an_agent_on(bus, tmp_path, *stub, **settings) as (supervisor, tools):
        yield RunningAgent(supervisor, bus, tools.drains, tmp_path / "state", tools)


@asynccontextmanager
async def an_agent_on(
    bus: Bus,
    tmp_path: Path,
    *stub: str,
    on_gpu: bool = False,
    runtime: type[VllmRuntime] = VllmRuntime,
    **settings: Any,
) -> AsyncIterator[tuple[Supervisor, Tools]]:
    """An agent on this bus, without heartbeats."""
    gpu = tmp_path / "gpu"
    gpu.mkdir(exist_ok=True)
    if on_gpu:
        stub = (*stub, "--gpu", str(gpu))
    engine = {"python": stub_python(tmp_path, *stub), "shutdown_timeout_seconds": 1} | settings
    clock, http = SystemClock(), EngineHttp()
    devices = StubGpu(gpu) if on_gpu else _a_cpu_slot()
    folder = tmp_path / "state"
    tools = Tools(
        launcher=ProcessLauncher(folder, agent_id="local", clock=clock),
        runtimes={
            RuntimeKind.VLLM: runtime(Vllm.model_validate(engine), http),
            RuntimeKind.RAY_SERVE: RayServeRuntime(
                RayServe(),
                http,
                python=Path(sys.executable),
                package=partial(linked_package, folder),
            ),
        },
        devices=devices,
        lanes=Lanes(),
        drains=DrainTracker(clock.monotonic()),
        journal=Journal(folder / "journal"),
        meter=MemoryMeter(devices, clock, 5.0),
        clock=clock,
        announce=Announcer(bus, clock),
    )
    supervisor = Supervisor(tools, agent_id="local")
    fence = Fence(folder / "newest-epoch")
    known = {"supervisor": supervisor, "drains": tools.drains, "clock": clock, "fence": fence}
    commands = fenced(bind(COMMANDS, **known), fence)
    await supervisor.adopt()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(supervisor.run()),
            group.create_task(bus.consume("agent-local", commands, agent_id="local")),
            group.create_task(bus.follow(bind(FOLLOWED, **known))),
        ]
        try:
            yield supervisor, tools
        finally:
            for task in tasks:
                task.cancel()
            await http.close()


def _a_cpu_slot() -> CpuSlots:
    return CpuSlots(agent_id="local", slots=1, slot_bytes=8 << 30, slot_cores=1, within_cgroup=True)


@asynccontextmanager
async def a_clean_agent(tmp_path: Path, *stub: str, **settings: Any) -> AsyncIterator[RunningAgent]:
    """An agent whose engines are stopped at the end."""
    async with an_agent(tmp_path, *stub, **settings) as agent:
        try:
            yield agent
        finally:
            await agent.supervisor.stop_all(0.0)


async def loaded(agent: RunningAgent, model: Path) -> RuntimeLoaded:
    """Load a model, as the first of its kind on this agent."""
    await agent.send(a_load(model))
    return await agent.heard(RuntimeLoaded)
