"""Where there is something to choose: the models an advisor is asked about, and what for. Pure.

A language model is slow and dear, so it is asked only when what it says can matter, about few
models, and only for what the guard could let pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modelium.common.events import MetricsTick
from modelium.common.figures import DecidedAction, ModelFigures
from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.rules import LIKELY
from modelium.core.snapshot import STARTABLE

MOST_MODELS: Final = 12
"""A small model reads this many lines well, and a prompt stays below a thousand tokens."""
SOON_S: Final = 120.0
"""A model that is expected within this is worth a thought before anybody asks for it."""
KEEP: Final = DecidedAction.KEEP
"""Leave it as it is; of an engine: also against those that would like its memory."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One model, and what could become of it; the first option changes nothing."""

    figures: ModelFigures
    options: tuple[DecidedAction, ...]


def contest(tick: MetricsTick, policy: Policy) -> tuple[Contestant, ...]:
    """Those about which there is a choice now, the most urgent first; empty: there is none."""
    wanted = sorted((model for model in tick.models if _is_wanted(model, policy)), key=_urgency)
    pressed = [d for d in tick.devices if _is_pressed(d.total_bytes, d.free_bytes, policy)]
    if not wanted and not pressed:
        return ()
    engines = sorted((m for m in tick.models if _may_go(m, policy)), key=_worth)
    half = MOST_MODELS // 2
    several = [*wanted[: max(half, MOST_MODELS - len(engines))], *engines]
    return tuple(Contestant(model, _options(model)) for model in several[:MOST_MODELS])


def _is_wanted(model: ModelFigures, policy: Policy) -> bool:
    """Somebody waits for it, or is expected to come soon, and it has no engine that serves."""
    if model.state not in STARTABLE and model.state is not ModelState.SLEEPING:
        return False
    return bool(model.waiting) or _expected_s(model) <= max(SOON_S, 2 * _reload_s(model, policy))


def _may_go(model: ModelFigures, policy: Policy) -> bool:
    """It has an engine that is idle and has served its minimum time."""
    if model.state is not ModelState.LOADED or model.pinned or model.keep_alive_s is not None:
        return False
    fresh = model.loaded_for_s is not None and model.loaded_for_s < policy.min_residency_s
    return not (model.in_flight or model.waiting or fresh)


def _is_pressed(total_bytes: int, free_bytes: int, policy: Policy) -> bool:
    used_percent = 100 * (total_bytes - free_bytes) / max(1, total_bytes)
    return used_percent > policy.evict_when_memory_above_percent


def _options(model: ModelFigures) -> tuple[DecidedAction, ...]:
    match model.state:
        case ModelState.LOADED if model.can_sleep:
            return (KEEP, DecidedAction.SLEEP, DecidedAction.EVICT)
        case ModelState.LOADED:
            return (KEEP, DecidedAction.EVICT)
        case ModelState.SLEEPING:
            return (KEEP, DecidedAction.WAKE, DecidedAction.EVICT)
        case _:
            return (KEEP, DecidedAction.LOAD)


def _urgency(model: ModelFigures) -> tuple[int, float, str]:
    return (-model.waiting, _expected_s(model), model.model)


def _worth(model: ModelFigures) -> tuple[float, str]:
    """Those first that are expected last."""
    return (-_expected_s(model), model.model)


def _expected_s(model: ModelFigures) -> float:
    """One that is likely to come soon is expected within `SOON_S`, whatever the median says."""
    expected_s = float("inf") if model.next_use_s is None else model.next_use_s
    return min(expected_s, SOON_S) if model.soon_chance >= LIKELY else expected_s


def _reload_s(model: ModelFigures, policy: Policy) -> float:
    return policy.unknown_load_s if model.reload_s is None else model.reload_s


def names(contestants: Iterable[Contestant]) -> tuple[str, ...]:
    """Of the models, in order."""
    return tuple(each.figures.model for each in contestants)
