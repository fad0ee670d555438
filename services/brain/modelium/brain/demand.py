"""The recent demand, as it can be replayed. Pure but for its own memory."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from modelium.common.advice import MetricsTick
from modelium.common.reports import GatewayStats
from modelium.core.tuning_question import DemandFigures
from modelium.replay.parts import Need
from modelium.replay.recording import Recorder
from modelium.replay.trace import HOUR_S, Request

MOST_REQUESTS: Final = 20_000
"""What is kept, and replayed: about a minute of CPU for all candidates of a round."""


@dataclass(slots=True)
class Demand:
    """Belongs to whoever handles the messages; `began_s` by the clock of every `now_s`."""

    began_s: float
    window_hours: float
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=MOST_REQUESTS))
    sleeps: bool = False
    """Whether an engine was seen that can sleep."""
    _recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.began_s)

    def heard(self, stats: GatewayStats, now_s: float) -> None:
        """What a gateway says of itself."""
        self.requests.extend(self._recorder.heard(stats, now_s))
        oldest_s = now_s - self.began_s - self.window_hours * HOUR_S
        while self.requests and self.requests[0].at_s < oldest_s:
            self.requests.popleft()

    def ticked(self, tick: MetricsTick) -> None:
        """What models need, and which devices there are."""
        self._recorder.keep_only({request.model for request in self.requests})
        self._recorder.ticked(tick)
        self.sleeps = self.sleeps or any(model.can_sleep for model in tick.models)

    def forget(self) -> None:
        """What follows came under other policies."""
        self.requests.clear()

    @property
    def devices(self) -> int:
        """How many, by the newest tick."""
        return self._recorder.devices

    @property
    def device_bytes(self) -> int:
        """Of the largest."""
        return self._recorder.device_bytes

    @property
    def needs(self) -> dict[str, Need]:
        """Of the models that fit a device; others cannot be replayed."""
        known = self._recorder.needs.items()
        return {name: need for name, need in known if need.size_bytes <= self.device_bytes}

    def figures(self) -> DemandFigures:
        """All that can be replayed, in a few numbers."""
        requests, needs = self.newest(), self.needs
        return DemandFigures(
            requests=len(requests),
            hours=requests[-1].at_s / HOUR_S if requests else 0.0,
            busy_s=sum(r.lasts_s for r in requests) / max(1, len(requests)),
            devices=self.devices,
            device_bytes=self.device_bytes,
            sizes_bytes=tuple(need.size_bytes for need in needs.values()),
            loads_s=tuple(n.load_s for n in needs.values() if n.load_s is not None),
        )

    def newest(self, share: float = 1.0) -> tuple[Request, ...]:
        """Of the requests that can be replayed, this share, from 0 s on and in order."""
        needs = self.needs
        kept = sorted(r for r in self.requests if r.model in needs)
        kept = kept[len(kept) - round(share * len(kept)) :]
        return tuple(r._replace(at_s=r.at_s - kept[0].at_s) for r in kept)
