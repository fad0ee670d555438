"""What an advisor that knows the trace would answer: the labels that a brain is trained on. Pure.

Memory belongs to those that are asked for next, as Belady has it, and who comes soon is loaded
before. Only the models of a contest get an answer; all others that come soon are reckoned with.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from modelium.common.advice import MetricsTick
from modelium.common.figures import DecidedAction, Decision, ModelFigures
from modelium.core.contest import KEEP, Contestant, contest
from modelium.core.policy import Policy
from modelium.core.snapshot import STARTABLE
from modelium.replay.deciding import time_of
from modelium.replay.trace import Request

LOADS_AHEAD: Final = 2.0
MORE_AHEAD_S: Final = 60.0
"""Whoever comes within so many of its loads and so long is worth to be made ready."""
NAP_S: Final = 600.0
"""Who is asked for again within this sleeps rather than that it is evicted."""


@dataclass(frozen=True, slots=True)
class Hindsight:
    """Implements `deciding.Advisor`."""

    arrivals: Mapping[str, Sequence[float]]
    """When each model is asked for, in order."""
    policy: Policy

    def __call__(self, tick: MetricsTick) -> tuple[Decision, ...]:
        """What should become of those in the contest."""
        contestants = contest(tick, self.policy)
        chosen = self.choices(tick, contestants)
        return tuple(
            Decision(model=each.figures.model, action=action, reason="the trace says so")
            for each, action in zip(contestants, chosen, strict=True)
        )

    def choices(
        self, tick: MetricsTick, contestants: Sequence[Contestant]
    ) -> tuple[DecidedAction, ...]:
        """One option of each contestant, in their order."""
        now_s = time_of(tick)
        next_s = {m.model: self._until_next_s(m, now_s) for m in tick.models}
        staying = _residents(tick, contestants, next_s, self.policy)
        return tuple(_choice(each, next_s, staying, self.policy) for each in contestants)

    def _until_next_s(self, model: ModelFigures, now_s: float) -> float:
        if model.waiting:
            return 0.0
        known = self.arrivals.get(model.model, ())
        after = bisect_right(known, now_s)
        return known[after] - now_s if after < len(known) else inf


def hindsight(requests: Sequence[Request], policy: Policy) -> Hindsight:
    """Of these requests, which come in the order of their arrival."""
    arrivals: defaultdict[str, list[float]] = defaultdict(list)
    for request in requests:
        arrivals[request.model].append(request.at_s)
    return Hindsight(arrivals, policy)


@dataclass(slots=True)
class _Packing:
    """Who gets the memory there is, and that of the engines that may go."""

    room: dict[str, int]

    def take(self, model: ModelFigures) -> bool:
        """An engine stays on its own devices; who has none takes the one with most room."""
        emptiest = max(self.room, key=lambda d: (self.room[d], d), default="")
        places = model.device_ids or (emptiest,)
        needed = max(model.held_bytes, model.needed_bytes)
        if any(self.room.get(place, 0) < needed for place in places):
            return False
        for place in places:
            self.room[place] -= needed
        return True


def _residents(
    tick: MetricsTick,
    contestants: Sequence[Contestant],
    next_s: Mapping[str, float],
    policy: Policy,
) -> frozenset[str]:
    """Who should be in memory: those asked for next, as many as there is room for.

    An engine counts as asked for earlier by the time of its load, which is spent again if it goes.
    """
    going = {c.figures.model for c in contestants if c.figures.state not in STARTABLE}
    packing = _Packing({device.device_id: device.free_bytes for device in tick.devices})
    turns: list[tuple[float, str, ModelFigures]] = []
    for model in tick.models:
        until_s = next_s[model.model]
        if model.model in going:
            turns.append((until_s - _load_s(model, policy), model.model, model))
            for device_id in model.device_ids:
                packing.room[device_id] = packing.room.get(device_id, 0) + model.held_bytes
        elif model.state in STARTABLE and until_s <= _ahead_s(model, policy):
            turns.append((until_s, model.model, model))
    in_turn = [model for *_, model in sorted(turns, key=lambda turn: turn[:2])]
    return frozenset([model.model for model in in_turn if packing.take(model)])


def _choice(
    contestant: Contestant,
    next_s: Mapping[str, float],
    staying: frozenset[str],
    policy: Policy,
) -> DecidedAction:
    model, options = contestant.figures, contestant.options
    stays, until_s = model.model in staying, next_s[model.model]
    if stays:
        wanted = until_s <= _ahead_s(model, policy)
        ready = next((o for o in options if o in (DecidedAction.LOAD, DecidedAction.WAKE)), KEEP)
        return ready if wanted else KEEP
    if DecidedAction.SLEEP in options and until_s <= NAP_S:
        return DecidedAction.SLEEP
    return DecidedAction.EVICT if DecidedAction.EVICT in options else KEEP


def _load_s(model: ModelFigures, policy: Policy) -> float:
    return policy.unknown_load_s if model.reload_s is None else model.reload_s


def _ahead_s(model: ModelFigures, policy: Policy) -> float:
    return LOADS_AHEAD * _load_s(model, policy) + MORE_AHEAD_S
