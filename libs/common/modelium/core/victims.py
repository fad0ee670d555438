"""Which engines give way: what each is worth, and the smallest set that frees enough."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.snapshot import ModelView

STOPPABLE = frozenset({ModelState.LOADED, ModelState.SLEEPING})
"""States in which an engine can be told to stop."""
NextUse = Callable[[ModelView], float]
"""Seconds until a model is expected to be used again."""


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


def displacement_cost(victim: ModelView, policy: Policy) -> float:
    """Requests that would have to wait for the model to come back, or wait for it now.

    Those in flight and waiting, and those that come while it would be loaded.
    """
    return victim.in_flight + victim.waiting + victim.rate_per_s * _load_s(victim, policy)


def protected_s(victim: ModelView, policy: Policy) -> float:
    """Seconds until the victim has served its minimum time since it was loaded.

    One with requests in flight serves at least as long as its load took, so that two models in
    demand do not spend their time loading.
    """
    if victim.loaded_for_s is None:
        return 0.0
    load_s = _load_s(victim, policy) if victim.in_flight else 0.0
    quantum_s = max(policy.min_residency_s, load_s)
    return max(0.0, quantum_s - victim.loaded_for_s)


def by_worth(
    engines: Iterable[ModelView], keep: frozenset[str], next_use_s: NextUse
) -> tuple[ModelView, ...]:
    """Those first that are expected to be used last; `keep` and those in use come at the end."""
    return tuple(
        sorted(engines, key=lambda m: (m.model in keep, bool(m.in_flight), -next_use_s(m), m.model))
    )


def smallest_set(
    ordered: Iterable[ModelView], short_bytes: int, policy: Policy, next_use_s: NextUse
) -> VictimSet | None:
    """The first engines that free `short_bytes`, without one too many.

    `ordered` is by worth. None: all of them together do not free enough.
    """
    chosen = _without_surplus(_until_enough(ordered, short_bytes), short_bytes)
    if _held(chosen) < short_bytes:
        return None
    return VictimSet(
        victims=tuple(chosen),
        cost=sum(displacement_cost(victim, policy) for victim in chosen),
        protected_s=max((protected_s(victim, policy) for victim in chosen), default=0.0),
        next_use_s=min(map(next_use_s, chosen), default=math.inf),
    )


def _until_enough(ordered: Iterable[ModelView], short_bytes: int) -> list[ModelView]:
    chosen: list[ModelView] = []
    held = 0
    for victim in ordered:
        if held >= short_bytes:
            break
        chosen.append(victim)
        held += victim.held_bytes
    return chosen


def _without_surplus(chosen: list[ModelView], short_bytes: int) -> list[ModelView]:
    """Spare those that are not needed, the one expected to be used first before all."""
    surplus = _held(chosen) - short_bytes
    kept = list(chosen)
    for victim in reversed(chosen):
        if victim.held_bytes <= surplus:
            kept.remove(victim)
            surplus -= victim.held_bytes
    return kept


def _held(models: Iterable[ModelView]) -> int:
    return sum(model.held_bytes for model in models)


def _load_s(model: ModelView, policy: Policy) -> float:
    return policy.unknown_load_s if model.load_s is None else model.load_s
