"""Loads sent to an agent that has been silent since, which it may yet carry out.

NATS keeps a command until its agent is back, and from then on the memory it names may be taken at
any moment. So it counts as taken until the agent tells of the engine, or refuses every load that
is as old. Pure but for its own memory; `now_s` is the monotonic clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from modelium.common.events import LoadModel
from modelium.common.subjects import OLDEST_LOAD_S
from modelium.core.ledger import Holding
from modelium.orchestrator.in_flight import Sent

MARGIN_S: Final = 5.0
"""By so much the clocks of two machines may differ, and a command may be on its way."""


@dataclass(slots=True)
class LeftBehind:
    """By instance id."""

    _loads: dict[str, Sent] = field(default_factory=dict)

    def add(self, sent: Sent) -> None:
        """Its agent has gone silent."""
        if isinstance(sent.command, LoadModel):
            self._loads[sent.command.instance_id] = sent

    def of(self, agent_id: str) -> list[Sent]:
        """Those that wait for the agent."""
        return [sent for sent in self._loads.values() if sent.command.agent_id == agent_id]

    def drop(self, instance_ids: Iterable[str]) -> None:
        """What becomes of these is known otherwise."""
        for instance_id in instance_ids:
            self._loads.pop(instance_id, None)

    def expire(self, now_s: float) -> None:
        """Drop what no agent begins any more."""
        self._loads = {
            key: sent
            for key, sent in self._loads.items()
            if now_s - sent.at_s <= OLDEST_LOAD_S + MARGIN_S
        }

    def holdings(self) -> Iterator[Holding]:
        """What they may take."""
        for key, sent in self._loads.items():
            if isinstance(sent.command, LoadModel):
                for device_id in sent.command.device_ids:
                    yield Holding(key, device_id, sent.command.reserve_bytes, starting=True)
