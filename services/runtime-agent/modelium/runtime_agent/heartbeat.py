"""Says once a second what this agent has and runs, and at once when an engine has ended."""

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import AgentHeartbeat
from modelium.runtime_agent.supervisor import Supervisor
from modelium.runtime_agent.waiting import until_told


async def beat(
    supervisor: Supervisor,
    bus: Bus,
    clock: Clock,
    *,
    agent_id: str,
    launcher: str,
    interval_s: float,
    sleep_memory_bytes: int,
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
                sleep_memory_bytes=sleep_memory_bytes,
            )
        )
        # Whoever waits for the memory is not to wait for the next beat as well.
        await until_told(clock.sleep(interval_s), supervisor.ended)
