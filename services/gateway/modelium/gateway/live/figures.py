"""The figures of all gateways, added up: ours as they are now, the others' as they last told.

Those of a gateway that has been silent for `LEASE_S` count no more. Pure; times are monotonic
seconds.
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Final

from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S, GatewayModelStats

WINDOW_S: Final = 10.0
"""Over which requests per second are counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One model over all gateways."""

    requests_per_second: float = 0.0
    p50_s: float | None = None
    p99_s: float | None = None
    in_flight: int = 0
    waiting: int = 0
    oldest_wait_s: float = 0.0
    idle_s: float | None = None


_UNUSED: Final = Figures()


class AllFigures:
    """What each gateway said last."""

    def __init__(self, gateway_id: str) -> None:
        self._own_id = gateway_id
        self._said: dict[str, tuple[float, dict[str, GatewayModelStats]]] = {}
        self._ended: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        """By model, when how many requests have ended, within the window."""

    def heard(self, stats: GatewayStats, now_s: float) -> None:
        """Replace what this gateway, perhaps ours, said before."""
        _, before = self._said.get(stats.gateway_id, (now_s, None))
        models = {figures.model: figures for figures in stats.models}
        if before is not None:
            for name, figures in models.items():
                earlier = before[name].requests if name in before else 0
                if figures.requests > earlier:
                    self._ended[name].append((now_s, figures.requests - earlier))
        self._said[stats.gateway_id] = (now_s, models)

    def of(self, model: str, own: GatewayModelStats | None, now_s: float) -> Figures:
        """All of a model's, with our `own` as they are now (None: it is not used here)."""
        said = [
            (now_s - at_s, models[model])
            for gateway_id, (at_s, models) in self._said.items()
            if gateway_id != self._own_id and model in models
        ]
        if own is not None:
            said.append((0.0, own))
        if not said:
            return _UNUSED  # as most are, of many
        waits = [age_s + stats.oldest_wait_s for age_s, stats in said if stats.waiting]
        idles = [age_s + stats.idle_s for age_s, stats in said if stats.idle_s is not None]
        in_flight = sum(stats.in_flight for _, stats in said)
        return Figures(
            requests_per_second=self._per_second(model, now_s),
            p50_s=max(
                (s.latency_p50_s for _, s in said if s.latency_p50_s is not None), default=None
            ),
            p99_s=max(
                (s.latency_p99_s for _, s in said if s.latency_p99_s is not None), default=None
            ),
            in_flight=in_flight,
            waiting=sum(stats.waiting for _, stats in said),
            oldest_wait_s=max(waits, default=0.0),
            idle_s=0.0 if in_flight else min(idles, default=None),
        )

    @property
    def gateways(self) -> int:
        """How many there are, this one included."""
        return len(self._said.keys() | {self._own_id})

    def expire(self, now_s: float) -> None:
        """Forget gateways that are silent, and what is too long ago."""
        for name in [n for n, (at_s, _) in self._said.items() if now_s - at_s >= LEASE_S]:
            del self._said[name]
        for model, ended in list(self._ended.items()):
            while ended and now_s - ended[0][0] > WINDOW_S:
                ended.popleft()
            if not ended:
                del self._ended[model]

    def _per_second(self, model: str, now_s: float) -> float:
        ended = self._ended.get(model, ())
        return sum(count for at_s, count in ended if now_s - at_s <= WINDOW_S) / WINDOW_S
