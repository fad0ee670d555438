"""What others do: each model is worth a score, the least worth go first.

A waiter is loaded where it fits; else idle engines go on the device where the most worth of them
is worth least. One that cannot be served yet does not hold up the others. Pure.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from modelium.common.records import ModelState
from modelium.replay.node import Node
from modelium.replay.parts import Device, Model

Score = Callable[[Node, Model], float]


TIME_TO_LIVE_S: Final = 300.0


@dataclass(slots=True)
class Scored:
    """Evicts by a score when there is no room; after `ttl_s` without a use in any case."""

    score: Score
    ttl_s: float = inf
    tick_s: float = 10.0
    _expires_s: float = 0.0
    """Nobody's time to live is over before."""

    def due_s(self, node: Node, acted_s: float) -> float:
        """Only a time to live runs out by itself."""
        return acted_s + self.tick_s if self.ttl_s < inf else inf

    def act(self, node: Node) -> None:
        """Expire, then serve the waiters, the oldest first."""
        if self.ttl_s < inf and node.now_s >= self._expires_s:
            self._expire(node)
        for waiter in list(node.wanted.values()):
            if waiter.state is ModelState.UNLOADED:
                self._serve(node, waiter)
        node.changed = False

    def _expire(self, node: Node) -> None:
        """Who is used or loaded from now on lives for a whole time more."""
        self._expires_s = node.now_s + self.ttl_s
        for model in node.models.values():
            if not model.idle:
                continue
            if node.now_s - _used_s(model) >= self.ttl_s:
                node.stop(model)
            else:
                self._expires_s = min(self._expires_s, _used_s(model) + self.ttl_s)

    def _serve(self, node: Node, waiter: Model) -> None:
        idle = [device for device in node.devices if not device.loading]
        fitting = [device for device in idle if device.free_bytes >= waiter.size_bytes]
        if fitting:
            node.load(waiter, max(fitting, key=lambda d: (d.free_bytes, -d.number)))
            return
        ways = [way for device in idle if (way := self._way(node, device, waiter))]
        if ways:
            _, _, device, victims = min(ways, key=lambda way: way[:2])
            for victim in victims:
                self.note(victim)
                node.stop(victim)
            node.load(waiter, device)

    def note(self, victim: Model) -> None:
        """Before it goes."""

    def _way(
        self, node: Node, device: Device, waiter: Model
    ) -> tuple[float, int, Device, list[Model]] | None:
        short = waiter.size_bytes - device.free_bytes
        scored = sorted(
            (self.score(node, model), name)
            for name, model in device.residents.items()
            if model.idle
        )
        chosen: list[tuple[float, Model]] = []
        for score, name in scored:
            if short <= 0:
                break
            chosen.append((score, device.residents[name]))
            short -= device.residents[name].size_bytes
        if short > 0:
            return None
        for pair in reversed(list(chosen)):
            if short + pair[1].size_bytes <= 0:
                chosen.remove(pair)
                short += pair[1].size_bytes
        worst = max(score for score, _ in chosen)
        return worst, device.number, device, [model for _, model in chosen]


def _used_s(model: Model) -> float:
    return max(model.used_at_s or 0.0, model.loaded_at_s)


def least_recently_used() -> Scored:
    """LRU."""
    return Scored(lambda node, model: _used_s(model))


def time_to_live() -> Scored:
    """Stopped after some minutes without a use, the least recently used when full."""
    return Scored(lambda node, model: _used_s(model), ttl_s=TIME_TO_LIVE_S)


def clairvoyant() -> Scored:
    """Belady: the one that is asked for last goes first."""

    def score(node: Node, model: Model) -> float:
        after = bisect_right(model.arrivals, node.now_s, lo=model.seen)
        return -model.arrivals[after] if after < len(model.arrivals) else -inf

    return Scored(score)


@dataclass(slots=True)
class GreedyDual(Scored):
    """Greedy-Dual-Size-Frequency: uses x load time / size, above what went before."""

    score: Score = lambda node, model: 0.0
    floor: float = 0.0
    floors: dict[str, tuple[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.score = self._score

    def _score(self, node: Node, model: Model) -> float:
        seen, floor = self.floors.get(model.name, (-1, 0.0))
        if seen != model.seen:
            floor = self.floor
            self.floors[model.name] = model.seen, floor
        return floor + model.seen * model.load_s / (model.size_bytes / 1e9)

    def note(self, victim: Model) -> None:
        """What is asked for from now on is worth more than what just went."""
        _, floor = self.floors.get(victim.name, (0, 0.0))
        worth = floor + victim.seen * victim.load_s / (victim.size_bytes / 1e9)
        self.floor = max(self.floor, worth)


def greedy_dual() -> Scored:
    """GDSF."""
    return GreedyDual()
