"""Which engines give way: what each is worth, and the smallest set that frees enough."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.snapshot import ModelView, SleepView

STOPPABLE = frozenset({ModelState.LOADED, ModelState.SLEEPING})
"""States in which an engine can be told to stop."""
SLEEP_WEIGHT = 4.0
"""How much falling asleep counts beside waking: somebody waits for its memory already, while it may
be stopped before it is used again. With both levels 1 to 4 differ little; with the first alone, 2
was worse than not to sleep at all on one trace of three."""
NextUse = Callable[[ModelView], float]
"""Seconds until a model is expected to be used again."""
Frees = Callable[[ModelView], int]
"""Bytes of its device that are free once it has given way."""
held_bytes: Final[Frees] = attrgetter("held_bytes")
"""What is free once it has gone away; asked very often."""


@dataclass(frozen=True, slots=True)
class VictimSet:
    """Engines of one device that together free enough."""

    victims: tuple[ModelView, ...]
    cost: float
    """Requests that are expected to wait because of it."""
    protected_s: float = 0.0
    """Until the last of them has served its minimum time."""
    next_use_s: float = math.inf
    """Until the first of them is expected to be used again."""
    all_go: bool = False
    """Not enough is free unless all of them go away, also those that could sleep."""


def displacement_cost(victim: ModelView, policy: Policy) -> float:
    """Requests that would have to wait for the model to come back, or wait for it now.

    Those in flight and waiting, and those that come while it would be loaded or woken; none where
    it has other engines.
    """
    if victim.copy_id:
        return 0.0
    return victim.in_flight + victim.waiting + victim.rate_per_s * comeback_s(victim, policy)


def protected_s(victim: ModelView, policy: Policy) -> float:
    """Seconds until the victim has served its minimum time since it was loaded.

    One with requests in flight serves at least as long as it takes to come back, so that two models
    in demand do not spend their time loading.
    """
    if victim.loaded_for_s is None or victim.copy_id:
        return 0.0
    away_s = comeback_s(victim, policy) if victim.in_flight else 0.0
    quantum_s = max(policy.min_residency_s, away_s)
    return max(0.0, quantum_s - victim.loaded_for_s)


def comeback_s(model: ModelView, policy: Policy) -> float:
    """How long it is away at least once its engine has given way."""
    if model.asleep is not None:
        return model.asleep.wake_s
    ways = ways_to_sleep(model, policy)
    return ways[0].wake_s if ways else load_s(model, policy)


def ways_to_sleep(model: ModelView, policy: Policy) -> list[SleepView]:
    """Those that cost less waiting than to be loaded again, the best first."""
    if not model.sleeps:
        return []
    return [way for cost, way in sleep_costs(model) if cost < load_s(model, policy)]


def sleep_costs(model: ModelView) -> list[tuple[float, SleepView]]:
    """All ways, with the waiting that each costs, the least first."""
    costs = sorted(
        (SLEEP_WEIGHT * way.sleep_s + way.wake_s, way.level, way) for way in model.sleeps
    )
    return [(cost, way) for cost, _, way in costs]


def load_s(model: ModelView, policy: Policy) -> float:
    """How long a load takes; what the policy takes for granted until it was measured."""
    return policy.unknown_load_s if model.load_s is None else model.load_s


def by_worth(
    engines: Iterable[ModelView], keep: frozenset[str], next_use_s: NextUse
) -> tuple[ModelView, ...]:
    """Copies first, then those that are expected to be used last; those in use come at the end.

    Before them come those to `keep`: advice spares nobody at the cost of one in use.
    """

    def worth(m: ModelView) -> tuple[bool, bool, bool, bool, float, str]:
        kept = m.model in keep and not m.copy_id
        return not m.copy_id, m.in_flight > 0, m.waiting > 0, kept, -next_use_s(m), m.model

    return tuple(sorted(engines, key=worth))


def smallest_set(
    ordered: Iterable[ModelView],
    short_bytes: int,
    policy: Policy,
    next_use_s: NextUse,
    frees: Frees = held_bytes,
) -> VictimSet | None:
    """The first engines that free `short_bytes`, without one too many.

    `ordered` is by worth. None: all of them together do not free enough.
    """
    chosen: list[ModelView] = []
    surplus = -short_bytes
    for victim in ordered:
        if surplus >= 0:
            break
        chosen.append(victim)
        surplus += frees(victim)
    if surplus < 0:
        return None
    if surplus and len(chosen) > 1:
        chosen = _without_surplus(chosen, surplus, frees)
    return VictimSet(
        victims=tuple(chosen),
        cost=sum([displacement_cost(victim, policy) for victim in chosen]),
        protected_s=max([protected_s(victim, policy) for victim in chosen], default=0.0),
        next_use_s=min(map(next_use_s, chosen), default=math.inf),
    )


def _without_surplus(chosen: list[ModelView], surplus: int, frees: Frees) -> list[ModelView]:
    """Spare those that are not needed, the one expected to be used first before all."""
    kept = list(chosen)
    for victim in reversed(chosen):
        if frees(victim) <= surplus:
            kept.remove(victim)
            surplus -= frees(victim)
    return kept
