"""The figures of a tick, as the brain and the rules see them. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelium.common.figures import DeviceFigures, ModelFigures
from modelium.core.bound import wait_bounds_s
from modelium.core.habit import next_use_s, soon_chance
from modelium.core.policy import Policy
from modelium.core.snapshot import ModelView, Snapshot
from modelium.core.transitions import Expected

SPARE_S: Final = 10.0
"""Who is expected within the time of its load and this is to be loaded now, or comes too late."""
NOT_SOON: Final = Expected("", 0.0)
UNKNOWN: Final[Mapping[str, float | None]] = MappingProxyType({})


def figures_of_models(
    seen: Snapshot,
    policy: Policy,
    rates: Mapping[str, float],
    latencies_s: Mapping[str, float | None] = UNKNOWN,
) -> tuple[ModelFigures, ...]:
    """Those of all models; `rates` are requests per second over the tick's interval."""
    kinds = {device.kind for device in seen.devices}
    bounds_s = wait_bounds_s(seen, policy)
    soon = {model.model: _soon(model, policy) for model in seen.models}
    return tuple(
        ModelFigures(
            model=model.model,
            state=model.state,
            pinned=model.pinned,
            rate_per_s=rates.get(model.model, 0.0),
            demand_per_s=model.rate_per_s,
            idle_s=model.idle_s,
            in_flight=model.in_flight,
            waiting=model.waiting,
            oldest_wait_s=model.wanted_for_s or 0.0,
            latency_p50_s=latencies_s.get(model.model),
            loaded_for_s=model.loaded_for_s,
            reload_s=model.load_s,
            next_use_s=_next_use_s(model),
            soon_chance=soon[model.model].chance,
            soon_after=soon[model.model].after or None,
            keep_alive_s=model.keep_alive_s,
            device_ids=model.device_ids,
            held_bytes=model.held_bytes,
            can_sleep=bool(model.sleeps),
            needed_bytes=max((model.needed[kind] for kind in kinds), default=0),
            wait_bound_s=bounds_s[model.model],
        )
        for model in seen.models
    )


def _next_use_s(model: ModelView) -> float | None:
    """Of one that was never used, nobody knows."""
    return None if model.idle_s is None else next_use_s(model.habit, model.unused_s)


def _soon(model: ModelView, policy: Policy) -> Expected:
    """By whichever reason says more; of one that may not be loaded early, nothing is expected."""
    unwanted = model.sent_away or model.nobody_came
    if unwanted or model.blocked or model.removed or model.retry_in_s > 0:
        return NOT_SOON
    load_s = policy.unknown_load_s if model.load_s is None else model.load_s
    idle_s = 0.0 if model.idle_s is None else model.idle_s
    by_habit = soon_chance(model.habit, idle_s, load_s + SPARE_S)
    if model.loaded_ahead_s is not None:
        by_habit = 0.0  # it was wrong about this pause
    if model.expected and model.expected.chance > by_habit:
        return model.expected
    return Expected("", by_habit)


def figures_of_devices(seen: Snapshot) -> tuple[DeviceFigures, ...]:
    """The devices of a tick."""
    return tuple(
        DeviceFigures(
            device_id=device.device_id,
            total_bytes=device.total_bytes,
            free_bytes=device.free_bytes,
        )
        for device in seen.devices
    )
