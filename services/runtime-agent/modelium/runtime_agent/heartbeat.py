"""Says once a second what this agent has and runs."""

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import AgentHeartbeat
from modelium.runtime_agent.supervisor import Supervisor


async def beat(
    supervisor: Supervisor,
    bus: Bus,
    clock: Clock,
    *,
    agent_id: str,
    launcher: str,
    interval_s: float,
) -> None:
    """Publish for ever."""
    while True:
        devices = await supervisor.devices()
        await bus.publish(
            AgentHeartbeat(
                agent_id=agent_id,
                launcher=launcher,
                devices=devices,
                instances=supervisor.instances(),
            )
        )
        await clock.sleep(interval_s)
