"""What the other gateways have in flight, from their `gateway.stats`; leases, like our own.

A gateway that has been silent for `LEASE_S` counts no more. Pure; times are monotonic seconds.
"""

from dataclasses import dataclass, field

from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S


@dataclass(frozen=True, slots=True)
class _Heard:
    at_s: float
    in_flight: dict[tuple[str, int], int]


@dataclass
class Peers:
    """What each other gateway said last."""

    gateway_id: str
    """Our own, which does not count."""
    alive: int = 0
    """How many others hold their lease; as of the last `heard` or `expire`."""
    _heard: dict[str, _Heard] = field(default_factory=dict)

    def heard(self, stats: GatewayStats, now_s: float) -> None:
        """Replace what this gateway said before."""
        if stats.gateway_id != self.gateway_id:
            counts = {
                (model.model, generation): count
                for model in stats.models
                for generation, count in model.in_flight_generations.items()
            }
            self._heard[stats.gateway_id] = _Heard(now_s, counts)
        self.expire(now_s)

    def expire(self, now_s: float) -> None:
        """Forget those that have been silent for too long."""
        gone = [name for name, heard in self._heard.items() if now_s - heard.at_s >= LEASE_S]
        for name in gone:
            del self._heard[name]
        self.alive = len(self._heard)

    def in_flight(self, model: str, generation: int) -> int:
        """What all others together have at an instance."""
        return sum(heard.in_flight.get((model, generation), 0) for heard in self._heard.values())
