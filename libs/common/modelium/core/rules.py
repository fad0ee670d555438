"""The rules' own advice on a tick: what an advisor must beat, and what counts when there is none.

Models that nobody has used for the configured time are put to sleep, or evicted if they cannot
sleep: as many as make room for somebody who waits, or all if the settings say so; on a device that
is fuller than allowed, the least recently used idle ones; models that are always to be loaded are
loaded where they fit; and with `prewarm` the one that is likeliest to be used soon, by its own
pauses or after another model, if nobody waits and it takes nobody's memory. Who else gives way to
a waiter says `decide`.
"""

import math
from collections.abc import Iterable
from typing import Final

from modelium.common.events import MetricsTick
from modelium.common.figures import DecidedAction, Decision, DeviceFigures, ModelFigures
from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.snapshot import STARTABLE

_CHANGING: Final = frozenset({ModelState.LOADING, ModelState.UNLOADING})
_FULL_PERCENT: Final = 100.0
LIKELY: Final = 0.3
"""A load for nobody costs little where memory is free; by replays, see docs/brain.md."""


def advise(tick: MetricsTick, policy: Policy) -> tuple[Decision, ...]:
    """One decision for each model of which something should become."""
    too_long = [model for model in tick.models if _idle_too_long(model, policy)]
    leaving = too_long if policy.evict_idle_always else _gives_room(tick, too_long)
    idle = {model.model: _evict_idle(model) for model in leaving}
    pressed = {
        model.model: _evict_pressed(model, device, policy)
        for device in tick.devices
        for model in _above_limit(device, tick.models, policy, frozenset(idle))
    }
    wanted = {m.model: _load_pinned(m) for m in tick.models if _pinned_fits(m, tick.devices)}
    early = {} if wanted or not policy.prewarm else _prewarm(tick, policy)
    return tuple({**early, **pressed, **idle, **wanted}.values())


def foresee(policy: Policy) -> bool:
    """Whether they may say something of a tick at which nobody waits for a load to begin."""
    fuller = policy.evict_when_memory_above_percent < _FULL_PERCENT
    return bool(policy.prewarm or policy.evict_idle_always or fuller or policy.always_loaded)


def _prewarm(tick: MetricsTick, policy: Policy) -> dict[str, Decision]:
    """At most one for each tick, where nothing is being loaded."""
    if any(model.waiting for model in tick.models):
        return {}
    changing = {d for m in tick.models if m.state in _CHANGING for d in m.device_ids}
    idle = [device for device in tick.devices if device.device_id not in changing]
    likely = [m for m in tick.models if _is_likely(m) and _has_room(m, idle, policy)]
    best = min(likely, key=lambda m: (-m.soon_chance, m.model), default=None)
    return {best.model: _load_early(best)} if best else {}


def _is_likely(model: ModelFigures) -> bool:
    cold = model.state is ModelState.UNLOADED and model.keep_alive_s is None
    return cold and model.soon_chance >= LIKELY


def _has_room(model: ModelFigures, devices: Iterable[DeviceFigures], policy: Policy) -> bool:
    """Without a device being fuller afterwards than idle models may keep it."""
    kept = 1 - policy.evict_when_memory_above_percent / 100
    return any(0 < model.needed_bytes <= d.free_bytes - d.total_bytes * kept for d in devices)


def _gives_room(tick: MetricsTick, idle: Iterable[ModelFigures]) -> list[ModelFigures]:
    """Those that make the smallest model fit which somebody waits for, on the device where whoever
    goes is expected last; none, where it fits already or would not even then.

    Without the others: who is kept warm for nothing costs nobody anything. Those that were unused
    for longest would be the wrong ones: who is called every hour comes back right then.
    """
    wanted = [m.needed_bytes for m in tick.models if m.waiting and m.state in STARTABLE]
    smallest = min(wanted, default=0)
    ordered = sorted(idle, key=lambda m: (-_expected_s(m), m.model))
    ways = [_until_it_fits(device, ordered, smallest) for device in tick.devices]
    return min((way for way in ways if way is not None), key=_soonest_and_number, default=[])


def _soonest_and_number(way: list[ModelFigures]) -> tuple[float, int]:
    """Of those that go, when the first is expected, later ones before; and how many."""
    return (-min(map(_expected_s, way), default=math.inf), len(way))


def _expected_s(model: ModelFigures) -> float:
    return math.inf if model.next_use_s is None else model.next_use_s


def _until_it_fits(
    device: DeviceFigures, idle: Iterable[ModelFigures], needed_bytes: int
) -> list[ModelFigures] | None:
    """The first of the device; None: all of them are not enough."""
    chosen: list[ModelFigures] = []
    free_bytes = device.free_bytes
    for model in idle:
        if free_bytes >= needed_bytes:
            break
        if device.device_id in model.device_ids:
            chosen.append(model)
            free_bytes += model.held_bytes
    return chosen if free_bytes >= needed_bytes else None


def _idle_too_long(model: ModelFigures, policy: Policy) -> bool:
    if model.keep_alive_s is not None:
        return False  # `decide` looks after these all the time
    limit_s = policy.evict_after_idle_s
    return limit_s > 0 and _evictable(model) and _unused_s(model) >= limit_s


def _above_limit(
    device: DeviceFigures,
    models: Iterable[ModelFigures],
    policy: Policy,
    already: frozenset[str],
) -> list[ModelFigures]:
    """The least recently used idle models of a device, until it would be below its limit."""
    limit_bytes = device.total_bytes * policy.evict_when_memory_above_percent / 100
    used_bytes = device.total_bytes - device.free_bytes
    here = [m for m in models if device.device_id in m.device_ids and _evictable(m)]
    used_bytes -= sum(m.held_bytes for m in here if m.model in already)
    chosen: list[ModelFigures] = []
    for model in sorted(here, key=lambda m: (-_unused_s(m), m.model)):
        if used_bytes > limit_bytes and model.model not in already and _past(model, policy):
            chosen.append(model)
            used_bytes -= model.held_bytes
    return chosen


def _pinned_fits(model: ModelFigures, devices: Iterable[DeviceFigures]) -> bool:
    unloaded = model.pinned and model.state is ModelState.UNLOADED
    return unloaded and any(0 < model.needed_bytes <= d.free_bytes for d in devices)


def _evictable(model: ModelFigures) -> bool:
    busy = model.in_flight or model.waiting
    return model.state is ModelState.LOADED and not model.pinned and not busy


def _past(model: ModelFigures, policy: Policy) -> bool:
    return model.loaded_for_s is None or model.loaded_for_s >= policy.min_residency_s


def _unused_s(model: ModelFigures) -> float:
    known = [s for s in (model.idle_s, model.loaded_for_s) if s is not None]
    return min(known, default=0.0)


def _evict_idle(model: ModelFigures) -> Decision:
    reason = f"not used for {_unused_s(model):.0f} s"
    return Decision(model=model.model, action=_away(model), reason=reason)


def _away(model: ModelFigures) -> DecidedAction:
    return DecidedAction.SLEEP if model.can_sleep else DecidedAction.EVICT


def _evict_pressed(model: ModelFigures, device: DeviceFigures, policy: Policy) -> Decision:
    limit = f"{policy.evict_when_memory_above_percent:.0f} %"
    reason = f"{device.device_id} is more than {limit} full and nothing there was unused longer"
    return Decision(model=model.model, action=_away(model), reason=reason)


def _load_early(model: ModelFigures) -> Decision:
    why = f"after {model.soon_after}" if model.soon_after else "by its own pauses"
    reason = f"expected soon {why} (chance {model.soon_chance:.0%})"
    return Decision(
        model=model.model,
        action=DecidedAction.LOAD,
        reason=reason,
        confidence=model.soon_chance,
    )


def _load_pinned(model: ModelFigures) -> Decision:
    return Decision(model=model.model, action=DecidedAction.LOAD, reason="always loaded")
