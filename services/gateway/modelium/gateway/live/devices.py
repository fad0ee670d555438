"""The devices and engines that agents tell of; one that is silent has none.

Pure; times are monotonic seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from modelium.common.events import AgentHeartbeat

SILENT_S: Final = 10.0
"""After which an agent counts as lost, as it does for the orchestrator."""


@dataclass
class Devices:
    """The last heartbeat of each agent."""

    _heard: dict[str, tuple[float, AgentHeartbeat]] = field(default_factory=dict)

    def heard(self, beat: AgentHeartbeat, now_s: float) -> None:
        """Replace what this agent said before."""
        self._heard[beat.agent_id] = (now_s, beat)

    def alive(self, now_s: float) -> Iterator[AgentHeartbeat]:
        """Of all agents that are not silent, by id; the others are forgotten."""
        self._heard = {
            agent_id: (at_s, beat)
            for agent_id, (at_s, beat) in sorted(self._heard.items())
            if now_s - at_s < SILENT_S
        }
        return iter([beat for _, beat in self._heard.values()])
