"""What an agent does with messages: it notes what is wanted and returns at once."""

from modelium.common.bus import Handlers
from modelium.common.clock import Clock
from modelium.common.engine_log import EngineLog
from modelium.common.events import (
    EngineLogAsked,
    GatewayStats,
    LoadModel,
    OrchestratorHeartbeat,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.runtime_agent.drain import DrainTracker
from modelium.runtime_agent.fence import Fence
from modelium.runtime_agent.launcher import Launcher
from modelium.runtime_agent.supervisor import Supervisor


async def load_model(command: LoadModel, *, supervisor: Supervisor) -> None:
    """Start an engine, or announce again what became of the one already started."""
    supervisor.load(command)


async def unload_model(command: UnloadModel, *, supervisor: Supervisor) -> None:
    """Drain and stop an engine; one that is not there is announced as unloaded."""
    supervisor.tell(command)


async def sleep_model(command: SleepModel, *, supervisor: Supervisor) -> None:
    """Drain an engine and put it to sleep, where that is possible."""
    supervisor.tell(command)


async def wake_model(command: WakeModel, *, supervisor: Supervisor) -> None:
    """Wake a sleeping engine."""
    supervisor.tell(command)


async def on_gateway_stats(stats: GatewayStats, *, drains: DrainTracker, clock: Clock) -> None:
    """Learn which engines the gateway still uses."""
    drains.heard(stats, clock.monotonic())


async def on_orchestrator_heartbeat(heartbeat: OrchestratorHeartbeat, *, fence: Fence) -> None:
    """Learn which orchestrator leads before it commands anything."""
    await fence.heard(heartbeat.epoch)


async def on_engine_log_asked(question: EngineLogAsked, *, launcher: Launcher) -> EngineLog:
    """Read what the engine has written; engines are told not to write prompts."""
    log = await launcher.log(question.instance_id, question.after, question.lines)
    return log or EngineLog(known=False)


COMMANDS: Handlers = {
    LoadModel: load_model,
    UnloadModel: unload_model,
    SleepModel: sleep_model,
    WakeModel: wake_model,
}
FOLLOWED: Handlers = {
    GatewayStats: on_gateway_stats,
    OrchestratorHeartbeat: on_orchestrator_heartbeat,
}
ANSWERED: Handlers = {EngineLogAsked: on_engine_log_asked}
HANDLERS: Handlers = {**COMMANDS, **FOLLOWED, **ANSWERED}
