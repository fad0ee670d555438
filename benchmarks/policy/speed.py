"""What one call of `decide` costs."""

import time
import timeit
from typing import Final

from modelium.common.records import DeviceKind, ModelState
from modelium.core.decide import decide
from modelium.core.habit import Habit
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot

GB: Final = 1_000_000_000
MODELS, DEVICES, WAITING = 100, 16, 8


def line() -> str:
    """The best of many, in microseconds of CPU."""
    snapshot, policy = crowded(), Policy()
    times_s = timeit.repeat(
        lambda: decide(snapshot, (), policy), timer=time.process_time, number=20, repeat=9
    )
    best_s = min(times_s) / 20
    size = f"{MODELS} models x {DEVICES} devices, all full, {WAITING} models wait"
    return f"`decide` for {size}: {best_s * 1e6:.0f} microseconds of CPU."


def crowded() -> Snapshot:
    """Four idle engines on each device, whose habits are known, and waiters that fit nowhere."""
    loaded = [_model(n, on=n % DEVICES) for n in range(4 * DEVICES)]
    waiting = [_model(n, wanted_for_s=float(n)) for n in range(64, 64 + WAITING)]
    others = [_model(n) for n in range(64 + WAITING, MODELS)]
    devices = (
        DeviceView(str(n), "local", DeviceKind.CUDA, f"GPU {n}", 80 * GB, 2 * GB)
        for n in range(DEVICES)
    )
    return Snapshot(models=(*loaded, *waiting, *others), devices=tuple(devices))


def _model(number: int, *, on: int | None = None, wanted_for_s: float | None = None) -> ModelView:
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
        idle_s=float(number),
        loaded_for_s=None if on is None else 500.0,
        load_s=30.0,
        habit=habit,
    )
