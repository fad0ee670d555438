"""What one call of `decide` costs, by what it finds."""

import time
import timeit
from typing import Final

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.decide import decide
from modelium.core.habit import Habit
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot

GB: Final = 1_000_000_000
MODELS, DEVICES, WAITING = 100, 16, 8


def line() -> str:
    """The best of many, in microseconds of CPU."""
    size = f"{MODELS} models x {DEVICES} devices, all full, {WAITING} models wait"
    idle, busy, told = (
        _costs_us(*case) for case in ((crowded(),), (crowded(in_flight=2),), _told())
    )
    return (
        f"`decide` for {size}: {idle:.0f} microseconds of CPU; "
        f"{busy:.0f} where all engines are in use and nobody gives way; "
        f"{told:.0f} with advice on every model."
    )


def _costs_us(snapshot: Snapshot, advice: tuple[Decision, ...] = ()) -> float:
    policy = Policy()
    times_s = timeit.repeat(
        lambda: decide(snapshot, advice, policy), timer=time.process_time, number=20, repeat=9
    )
    return min(times_s) / 20 * 1e6


def _told() -> tuple[Snapshot, tuple[Decision, ...]]:
    seen = crowded()
    keep = (
        Decision(model=model.model, action=DecidedAction.KEEP, reason="it is used at night")
        for model in seen.models
    )
    return seen, tuple(keep)


def crowded(*, in_flight: int = 0) -> Snapshot:
    """Four engines on each device, whose habits are known, and waiters that fit nowhere."""
    loaded = [_model(n, on=n % DEVICES, in_flight=in_flight) for n in range(4 * DEVICES)]
    waiting = [_model(n, wanted_for_s=float(n)) for n in range(64, 64 + WAITING)]
    others = [_model(n) for n in range(64 + WAITING, MODELS)]
    devices = (
        DeviceView(str(n), "local", DeviceKind.CUDA, f"GPU {n}", 80 * GB, 2 * GB)
        for n in range(DEVICES)
    )
    return Snapshot(models=(*loaded, *waiting, *others), devices=tuple(devices))


def _model(
    number: int, *, on: int | None = None, wanted_for_s: float | None = None, in_flight: int = 0
) -> ModelView:
    habit = Habit()
    for pause in range(30):
        habit = habit.after(10.0 * (number + 1) * (pause % 7 + 1))
    return ModelView(
        model=f"model-{number}",
        state=ModelState.UNLOADED if on is None else ModelState.LOADED,
        needed={DeviceKind.CUDA: 19 * GB},
        device_ids=() if on is None else (str(on),),
        held_bytes=0 if on is None else 19 * GB,
        waiting=0 if wanted_for_s is None else 1,
        wanted_for_s=wanted_for_s,
        in_flight=in_flight,
        idle_s=float(number),
        loaded_for_s=None if on is None else 500.0,
        load_s=30.0,
        habit=habit,
    )
