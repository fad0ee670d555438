"""Knows when no gateway uses an engine any more, from the gateways' stats.

A gateway has let go of a generation when its stats say that new requests go elsewhere and none in
flight is served by it. Only stats received after the drain began count: older ones may have been
written before the gateway learned of it. A gateway that has been silent for `LEASE_S` is gone, and
its in-flight requests with it; but silence while this agent is cut off proves nothing. Who waits,
and for how long, is left to `instance.py`.
"""

from dataclasses import dataclass, field

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S

AWAY_POLL_S = 0.5


@dataclass(frozen=True)
class _Heard:
    at_s: float
    routed: frozenset[tuple[str, int]]
    serving: frozenset[tuple[str, int]]


@dataclass
class DrainTracker:
    """What each gateway said last; times are of one monotonic clock."""

    listening_since_s: float
    _heard: dict[str, _Heard] = field(default_factory=dict)

    @property
    def gateways(self) -> int:
        """How many are remembered."""
        return len(self._heard)

    def heard(self, stats: GatewayStats, now_s: float) -> None:
        """Take in one gateway's newest stats; those that are gone are forgotten."""
        self._heard = {g: h for g, h in self._heard.items() if now_s - h.at_s <= LEASE_S}
        self._heard[stats.gateway_id] = _Heard(
            at_s=now_s,
            routed=frozenset((m.model, g) for m in stats.models for g in m.routed_generations),
            serving=frozenset((m.model, g) for m in stats.models for g in m.in_flight_generations),
        )

    def missed_some(self, now_s: float) -> None:
        """Stats may have been lost until now: silence before it proves nothing."""
        self.listening_since_s = now_s

    def serves(self, model: str, generation: int, *, now_s: float) -> bool:
        """Whether some gateway has requests in flight there."""
        alive = [h for h in self._heard.values() if now_s - h.at_s <= LEASE_S]
        return any((model, generation) in h.serving for h in alive)

    def is_drained(self, model: str, generation: int, *, since_s: float, now_s: float) -> bool:
        """Whether every gateway has let go of the generation; the drain began at `since_s`.

        For a lease's time after listening began, gateways may be there that were not heard yet.
        """
        if now_s - self.listening_since_s < LEASE_S:
            return False
        wanted = (model, generation)
        alive = [h for h in self._heard.values() if now_s - h.at_s <= LEASE_S]
        return all(
            h.at_s > since_s and wanted not in h.routed and wanted not in h.serving for h in alive
        )


async def doubt_silence(drains: DrainTracker, bus: Bus, clock: Clock) -> None:
    """Have silence prove nothing while NATS is away, until cancelled."""
    while True:
        if not bus.connected:
            drains.missed_some(clock.monotonic())
        await clock.sleep(AWAY_POLL_S)
