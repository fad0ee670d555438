"""Makes a trace of what gateways say of themselves, once a second each. Pure but for its memory.

They say how many requests came and ended, not which: arrivals are spread evenly over the time
since a gateway spoke last, and the requests of a model end in the order in which they came. For how
long an engine is at each of them is shared out evenly among those that end together; over all it is
what was seen, one look per second.
"""

from collections import deque
from dataclasses import dataclass, field

from modelium.common.advice import MetricsTick
from modelium.common.figures import GatewayModelStats
from modelium.common.reports import GatewayStats
from modelium.replay.parts import Need
from modelium.replay.trace import Request


@dataclass(slots=True)
class _Seen:
    """One model at one gateway."""

    at_s: float
    came: int = 0
    ended: int = 0
    in_flight: int = 0
    before: int = 0
    """Requests that came before the recording, and have not ended."""
    busy_s: float = 0.0
    """Of engines, for requests that ended since."""
    open_s: deque[float] = field(default_factory=deque)
    """When those came that have not ended."""

    def end(self, model: str, count: int) -> list[Request]:
        """So many more have ended."""
        older = min(count, self.before)
        self.before -= older
        count = min(count - older, len(self.open_s))
        if count + older == 0:
            return []
        each_s = self.busy_s / (count + older)
        self.busy_s = 0.0
        return [Request(self.open_s.popleft(), model, each_s) for _ in range(count)]

    def end_all(self, model: str) -> list[Request]:
        """Nobody will say any more when they end."""
        return self.end(model, self.before + len(self.open_s))


@dataclass(slots=True)
class Recorder:
    """`began_s` is when the recording began, by the clock of every `now_s`."""

    began_s: float
    needs: dict[str, Need] = field(default_factory=dict)
    """What the models are known to need, by the newest tick."""
    devices: int = 0
    device_bytes: int = 0
    """Of the largest."""
    _gateways: dict[str, float] = field(default_factory=dict)
    """When each spoke last."""
    _seen: dict[tuple[str, str], _Seen] = field(default_factory=dict)

    @property
    def gateways(self) -> int:
        """How many have spoken."""
        return len(self._gateways)

    def heard(self, stats: GatewayStats, now_s: float) -> list[Request]:
        """The requests that have ended since the gateway spoke last."""
        at_s = now_s - self.began_s
        spoke_s = self._gateways.get(stats.gateway_id)
        ended: list[Request] = []
        for each in stats.models:
            key = (stats.gateway_id, each.model)
            seen = self._seen.get(key)
            if seen is not None and each.requests < seen.ended:  # it was started again
                ended += seen.end_all(each.model)
                seen = _Seen(at_s)
            elif seen is None:
                seen = _Seen(at_s) if spoke_s is not None else _known(each, at_s)
            self._seen[key] = seen
            ended += _more(seen, each, at_s if spoke_s is None else spoke_s, at_s)
        self._gateways[stats.gateway_id] = at_s
        return ended

    def ticked(self, tick: MetricsTick) -> None:
        """Note what is known of models and devices."""
        self.devices = len(tick.devices)
        self.device_bytes = max((device.total_bytes for device in tick.devices), default=0)
        for model in tick.models:
            if size_bytes := max(model.needed_bytes, model.held_bytes):
                self.needs[model.model] = Need(size_bytes, model.reload_s)

    def finish(self) -> list[Request]:
        """Those that have not ended, as if they did now."""
        return [r for (_, model), seen in self._seen.items() for r in seen.end_all(model)]


def _known(each: GatewayModelStats, at_s: float) -> _Seen:
    """Of a gateway that is heard for the first time: what came before is not of the recording."""
    now = each.in_flight + each.waiting
    return _Seen(at_s, each.requests + now, each.requests, each.in_flight, before=now)


def _more(seen: _Seen, each: GatewayModelStats, since_s: float, at_s: float) -> list[Request]:
    """A request between two engines is in neither count for a moment: what came never shrinks."""
    came = max(seen.came, each.requests + each.in_flight + each.waiting)
    new = came - seen.came
    seen.open_s += (since_s + (at_s - since_s) * (n + 0.5) / new for n in range(new))
    seen.busy_s += seen.in_flight * (at_s - seen.at_s)
    ended = each.requests - seen.ended
    seen.at_s, seen.came, seen.in_flight = at_s, came, each.in_flight
    seen.ended = each.requests
    return seen.end(each.model, ended)
