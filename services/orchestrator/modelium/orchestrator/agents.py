"""Agents as their heartbeats show them, and which of them have gone silent.

Silence counts only while this process could have heard: `hearing_since` moves forward whenever
NATS was away or this process was held up, so that our own absence is never taken for theirs.
"""

from collections.abc import Iterable
from typing import Final

from modelium.common.events import AgentHeartbeat
from modelium.common.records import Device, Instance

SILENT_AFTER_S: Final = 10.0
REMOVED_AFTER_S: Final = 3600.0
"""One that has been silent for so long was taken away for good, as far as anybody is told."""


class Agents:
    """The newest heartbeat of each agent; `now_s` is the monotonic clock."""

    def __init__(self, now_s: float) -> None:
        self._hearing_since_s = now_s
        self._heard: dict[str, tuple[float, AgentHeartbeat]] = {}

    def heard(self, heartbeat: AgentHeartbeat, now_s: float) -> None:
        """Replace what this agent said before."""
        self._heard[heartbeat.agent_id] = (now_s, heartbeat)

    def excuse(self, now_s: float) -> None:
        """We could not hear until now: nobody's silence counts from before."""
        self._hearing_since_s = now_s

    def is_silent(self, agent_id: str, now_s: float) -> bool:
        """Whether it has said nothing for so long that its engines count as lost."""
        at_s, _ = self._heard.get(agent_id, (self._hearing_since_s, None))
        return now_s - max(at_s, self._hearing_since_s) >= SILENT_AFTER_S

    def silent_s(self, now_s: float) -> dict[str, float]:
        """Since when each was heard last, or could have been; without those long gone."""
        silences = {
            agent_id: max(0.0, now_s - max(at_s, self._hearing_since_s))
            for agent_id, (at_s, _) in self._heard.items()
        }
        return {agent_id: s for agent_id, s in silences.items() if s < REMOVED_AFTER_S}

    def has_spoken(self, agent_id: str, *, since_s: float) -> bool:
        """Whether it was heard since then."""
        return agent_id in self._heard and self._heard[agent_id][0] >= since_s

    def alive(self, now_s: float) -> tuple[AgentHeartbeat, ...]:
        """The newest heartbeats of all that are not silent, ordered by agent."""
        return tuple(
            heartbeat
            for agent_id, (_, heartbeat) in sorted(self._heard.items())
            if not self.is_silent(agent_id, now_s)
        )

    def devices(self, now_s: float) -> Iterable[tuple[str, Device]]:
        """Agent and device, of all that are alive."""
        return [(beat.agent_id, device) for beat in self.alive(now_s) for device in beat.devices]

    def instances(self, now_s: float) -> dict[str, Instance]:
        """All engines that agents alive report, by instance id."""
        return {i.instance_id: i for beat in self.alive(now_s) for i in beat.instances}
