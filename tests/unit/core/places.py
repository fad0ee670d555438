"""Models, devices and snapshots for the core's tests; sizes are in GiB."""

from dataclasses import replace
from typing import Any

from modelium.common.figures import Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Queue, Sleep, Unload, Wake
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, HostView, ModelView, SleepView, Snapshot

GIB = 1 << 30
POLICY = Policy(min_residency_s=5, displace_after_s=15)
SLOT = "cpu-local-0"
LEVEL_1 = SleepView(level=1, sleep_s=1, wake_s=1, asleep_bytes=GIB // 2, host_bytes=3 * GIB)
LEVEL_2 = SleepView(level=2, sleep_s=0.1, wake_s=4, asleep_bytes=GIB // 2, host_bytes=0)


def device(number: int = 0, *, total: float = 4, free: float | None = None) -> DeviceView:
    return DeviceView(
        device_id=f"cpu-local-{number}",
        agent_id="local",
        kind=DeviceKind.CPU,
        name=f"CPU slot {number}",
        total_bytes=int(total * GIB),
        free_bytes=int((total if free is None else free) * GIB),
    )


def cold(name: str, size: float = 3, **changes: Any) -> ModelView:
    """Not loaded, and nobody wants it."""
    needed = {kind: int(size * GIB) for kind in DeviceKind}
    return ModelView(**{"model": name, "state": ModelState.UNLOADED, "needed": needed} | changes)


def waiting(name: str, size: float = 3, *, since_s: float = 1, **changes: Any) -> ModelView:
    """Not loaded, and one request waits for it."""
    return cold(name, size, **{"waiting": 1, "wanted_for_s": since_s} | changes)


def loaded(name: str, size: float = 3, *, on: int = 0, **changes: Any) -> ModelView:
    """Loaded a minute ago, last used half a minute ago."""
    serving = {
        "state": ModelState.LOADED,
        "device_ids": (f"cpu-local-{on}",),
        "held_bytes": int(size * GIB),
        "loaded_for_s": 60.0,
        "idle_s": 30.0,
        "load_s": 10.0,
    }
    return cold(name, size, **serving | changes)


def loading(name: str, size: float = 3, *, on: int = 0, **changes: Any) -> ModelView:
    return loaded(
        name, size, on=on, **{"state": ModelState.LOADING, "loaded_for_s": None} | changes
    )


def unloading(name: str, size: float = 3, *, on: int = 0, **changes: Any) -> ModelView:
    return loaded(name, size, on=on, **{"state": ModelState.UNLOADING} | changes)


def sleepy(name: str, *ways: SleepView, **changes: Any) -> ModelView:
    """Loaded, and able to sleep."""
    return loaded(name, **{"sleeps": ways or (LEVEL_1,)} | changes)


def asleep(name: str, way: SleepView = LEVEL_1, **changes: Any) -> ModelView:
    sleeping = {"state": ModelState.SLEEPING, "held_bytes": way.asleep_bytes, "asleep": way}
    return loaded(name, **sleeping | {"loaded_for_s": None} | changes)


def seen(*things: ModelView | DeviceView) -> Snapshot:
    return Snapshot(
        models=tuple(thing for thing in things if isinstance(thing, ModelView)),
        devices=tuple(thing for thing in things if isinstance(thing, DeviceView)),
    )


def host(free: float) -> HostView:
    return HostView("local", int(free * GIB))


def beside(snapshot: Snapshot, free: float) -> Snapshot:
    """With so much host memory for sleepers."""
    return replace(snapshot, hosts=(host(free),))


def done(snapshot: Snapshot, *advice: Decision, policy: Policy = POLICY, **kw: Any) -> list[str]:
    """The actions in short, without the queue."""
    return [_short(a) for a in decide(snapshot, advice, policy, **kw) if not isinstance(a, Queue)]


def _short(action: Action) -> str:
    match action:
        case Load(model, _, device_ids):
            return f"load {model} on {device_ids[0][-1]}"
        case Unload(model):
            return f"unload {model}"
        case Sleep(model, level):
            return f"sleep {model} at {level}"
        case Wake(model):
            return f"wake {model}"
        case _:
            return f"queue {action.model}"
