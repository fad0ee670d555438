"""Wires the runtime agent."""

from functools import partial

from prometheus_client import REGISTRY

from modelium.common.bus import bind
from modelium.common.descriptor import RuntimeKind
from modelium.common.load_settings import Settings
from modelium.common.service import Shell, run
from modelium.common.settings import LauncherKind
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.container_spec import ContainerSettings
from modelium.runtime_agent.containers import connect
from modelium.runtime_agent.devices import CpuSlots, Devices, machine_memory
from modelium.runtime_agent.drain import DrainTracker, doubt_silence
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.engine_metrics import PATH, EngineMetrics
from modelium.runtime_agent.fence import Fence, fenced
from modelium.runtime_agent.gpus import find_gpus
from modelium.runtime_agent.handlers import ANSWERED, COMMANDS, FOLLOWED
from modelium.runtime_agent.heartbeat import beat
from modelium.runtime_agent.host_package import linked_package
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.launcher import LOGS, Launcher
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.metrics import AgentCollector
from modelium.runtime_agent.processes import ProcessLauncher
from modelium.runtime_agent.runtime import Runtime
from modelium.runtime_agent.runtimes.ray_serve import RayServeRuntime
from modelium.runtime_agent.runtimes.vllm import VllmRuntime
from modelium.runtime_agent.sleep_memory import asleep_bytes, budget_bytes
from modelium.runtime_agent.supervisor import Supervisor
from modelium.runtime_agent.tools import Tools


async def build(shell: Shell) -> None:
    """Find devices, adopt engines, then listen."""
    agent = shell.settings.runtime_agent
    http = EngineHttp()
    shell.resources.push_async_callback(http.close)
    tools = await _tools(shell, http)
    supervisor = Supervisor(tools, agent_id=agent.id)
    REGISTRY.register(AgentCollector(agent.id, lambda: supervisor.measured, supervisor.instances))
    shell.checks.pages[PATH] = EngineMetrics(supervisor, http).page
    sleep_memory_bytes = await _sleep_memory(shell, tools)
    await supervisor.adopt()

    async def missed_stats() -> None:
        tools.drains.missed_some(shell.clock.monotonic())

    fence = Fence(agent.state_directory / "newest-epoch")
    dependencies = {
        "supervisor": supervisor,
        "drains": tools.drains,
        "clock": shell.clock,
        "fence": fence,
    }
    commands = fenced(bind(COMMANDS, **dependencies), fence)
    followed = bind(FOLLOWED, **dependencies)
    shell.task("engines", supervisor.run())
    shell.task("gateways", shell.bus.follow(followed, on_gap=missed_stats))
    shell.task("silence", doubt_silence(tools.drains, shell.bus, shell.clock))
    shell.task("commands", shell.bus.consume(f"agent-{agent.id}", commands, agent_id=agent.id))
    answered = bind(ANSWERED, launcher=tools.launcher)
    shell.task("answer", shell.bus.answer(answered, agent_id=agent.id))
    shell.task(
        "heartbeat",
        beat(
            supervisor,
            shell.bus,
            shell.clock,
            agent_id=agent.id,
            launcher=agent.launcher,
            interval_s=agent.heartbeat_seconds,
            sleep_memory_bytes=sleep_memory_bytes,
        ),
    )
    if not agent.keep_engines_on_exit:
        shell.before_stop(partial(supervisor.stop_all, agent.exit_drain_seconds))


async def _tools(shell: Shell, http: EngineHttp) -> Tools:
    settings, clock = shell.settings, shell.clock
    devices = _devices(shell)
    return Tools(
        launcher=await _launcher(shell),
        runtimes=_runtimes(settings, http),
        devices=devices,
        lanes=Lanes(),
        drains=DrainTracker(clock.monotonic()),
        journal=Journal(settings.runtime_agent.state_directory / "journal"),
        meter=MemoryMeter(devices, clock, settings.runtime_agent.memory_free_timeout_seconds),
        clock=clock,
        announce=Announcer(shell.bus, clock),
        tracing=shell.tracing,
    )


def _runtimes(settings: Settings, http: EngineHttp) -> dict[RuntimeKind, Runtime]:
    """All there are: which may be used is not the agent's to decide."""
    folder = settings.runtime_agent.state_directory
    return {
        RuntimeKind.VLLM: VllmRuntime(settings.vllm, http, settings.security.trust_remote_code),
        RuntimeKind.RAY_SERVE: RayServeRuntime(
            settings.ray_serve,
            http,
            python=settings.vllm.python,
            package=partial(linked_package, folder),
        ),
    }


async def _sleep_memory(shell: Shell, tools: Tools) -> int:
    if not shell.settings.vllm.sleep_mode:
        return 0
    agent = shell.settings.runtime_agent
    machine = machine_memory(within_cgroup=agent.launcher is LauncherKind.PROCESS)
    return budget_bytes(
        agent.sleep_memory_bytes,
        kinds={device.kind for device in await tools.devices.measure({})},
        available=machine.available_bytes,
        asleep=asleep_bytes(await tools.journal.entries()),
    )


def _devices(shell: Shell) -> Devices:
    gpu, agent = shell.settings.gpu, shell.settings.runtime_agent
    found = find_gpus(gpu.devices, share=gpu.memory_fraction) if gpu.enabled else None
    return found or CpuSlots(
        agent_id=agent.id,
        slots=agent.cpu_slots,
        slot_bytes=agent.cpu_slot_memory_bytes,
        slot_cores=agent.cpu_slot_cores,
        within_cgroup=agent.launcher is LauncherKind.PROCESS,
    )


async def _launcher(shell: Shell) -> Launcher:
    agent = shell.settings.runtime_agent
    if agent.launcher is LauncherKind.PROCESS:
        return ProcessLauncher(agent.state_directory, agent_id=agent.id, clock=shell.clock)
    return await connect(
        ContainerSettings(
            agent_id=agent.id,
            network=agent.engine_network,
            user=agent.engine_user,
            pids_limit=agent.engine_pids_limit,
            logs=agent.state_directory / LOGS,
        )
    )


if __name__ == "__main__":
    run("runtime-agent", build)
