"""Makes a trace of what gateways say of themselves, once a second each. Pure but for its memory.

They say how many requests came and ended, not which: arrivals are spread evenly over the time
since a gateway spoke last, and the requests of a model end in the order in which they came. For how
long an engine is at each of them is shared out evenly among those that end together; over all it is
what was seen, one look per second.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from modelium.common.advice import MetricsTick
from modelium.common.figures import GatewayModelStats
from modelium.common.reports import GatewayStats
from modelium.replay.parts import Need
from modelium.replay.trace import Request

FORGET_S: Final = 300.0
"""A gateway that was silent for longer does not come back."""


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
class _Gateway:
    """One that has spoken."""

    spoke_s: float
    models: dict[str, _Seen] = field(default_factory=dict)

    def end_all(self) -> list[Request]:
        """Nobody will say any more when they end."""
        return [r for model, seen in self.models.items() for r in seen.end_all(model)]


@dataclass(slots=True)
class Recorder:
    """`began_s` is when the recording began, by the clock of every `now_s`.

    What it remembers is as much as there is, and not as long as it records: of gateways and models
    that are gone nothing is left but what the recorded models need.
    """

    began_s: float
    needs: dict[str, Need] = field(default_factory=dict)
    """What models are known to need: those of the newest tick, and all that were recorded."""
    devices: int = 0
    device_bytes: int = 0
    """Of the largest."""
    gateways: int = 0
    """How many have spoken; one that was silent for long is another when it speaks again."""
    _gateways: dict[str, _Gateway] = field(default_factory=dict)
    _recorded: set[str] = field(default_factory=set)
    """Models of which there are requests."""

    def heard(self, stats: GatewayStats, now_s: float) -> list[Request]:
        """The requests that have ended since the gateway spoke last."""
        at_s = now_s - self.began_s
        ended = self._forget_silent(at_s)
        known = self._gateways.get(stats.gateway_id)
        if known is None:
            known = self._gateways[stats.gateway_id] = _Gateway(at_s)
            known.models = {each.model: _known(each, at_s) for each in stats.models}
            self.gateways += 1
        for each in stats.models:
            seen = known.models.setdefault(each.model, _Seen(at_s))
            if each.requests < seen.ended:  # it was started again
                ended += seen.end_all(each.model)
                seen = known.models[each.model] = _Seen(at_s)
            ended += _more(seen, each, known.spoke_s, at_s)
        for gone in known.models.keys() - {each.model for each in stats.models}:
            ended += known.models.pop(gone).end_all(gone)
        known.spoke_s = at_s
        self._recorded.update(request.model for request in ended)
        return ended

    def _forget_silent(self, at_s: float) -> list[Request]:
        """A gateway that is started again has another id: the one before says nothing more."""
        silent = [i for i, each in self._gateways.items() if at_s - each.spoke_s > FORGET_S]
        return [request for i in silent for request in self._gateways.pop(i).end_all()]

    def ticked(self, tick: MetricsTick) -> None:
        """Note what is known of models and devices."""
        self.devices = len(tick.devices)
        self.device_bytes = max((device.total_bytes for device in tick.devices), default=0)
        self.needs = {m: need for m, need in self.needs.items() if m in self._recorded}
        for model in tick.models:
            if size_bytes := max(model.needed_bytes, model.held_bytes):
                self.needs[model.model] = Need(size_bytes, model.reload_s)

    def keep_only(self, models: Collection[str]) -> None:
        """Of no others there are requests any more: what they need may be forgotten."""
        self._recorded.intersection_update(models)

    def finish(self) -> list[Request]:
        """Those that have not ended, as if they did now."""
        return [request for each in self._gateways.values() for request in each.end_all()]


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
