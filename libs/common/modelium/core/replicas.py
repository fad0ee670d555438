"""Several engines of one model: when it gets one more, and when one goes. Pure.

A model is crowded while its engines have more requests than `copy_above_requests` each, those that
wait included, or while requests wait for room at them. One that is crowded for long enough gets one
more engine, on a device where it has none and where memory is free: for a copy nobody is displaced,
and none is begun while anybody waits for memory or a device. A model is calm while the engines left
would have little to do with one engine less, by requests at a time and by the rate that one engine
was measured to serve when it was crowded. One that is calm for long goes back by one engine, the
one with the fewest requests; so does one that has more engines than it may. Between crowded and
calm nothing changes.

A copy is the first to give way to a waiter (`victims.py`): it is drained as any other, but it is
never kept, whoever is pinned, and has no minimum time, for its model is served without it. A load
of one is given up for a waiter (`giving_up.py`).
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from modelium.common.records import ModelState
from modelium.core.actions import Cause, Load, Unload
from modelium.core.books import Books
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView

SMOOTHING_S: Final = 5.0
"""The number of requests at a time is an average in which a second counts e times less for each of
these since: a single look shows chance."""
WINDOW_S: Final = 10.0
"""For so long requests are counted to tell the rate."""
_CHANGING: Final = frozenset({ModelState.LOADING, ModelState.UNLOADING})


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a model that serves."""

    engines: int
    in_flight: int
    waiting: int
    ended: int
    """Requests, since any time."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How busy the engines of a model were until `at_s`; times are of one monotonic clock."""

    at_s: float
    engines: int
    level: float = 0.0
    """Requests at a time, smoothed."""
    pace_per_s: float = 0.0
    """The most that one engine was measured to serve while it was crowded; 0: it never was."""
    rate_per_s: float = 0.0
    """Of all engines, in the last whole window."""
    window_s: float = 0.0
    """When the window began."""
    window_ended: int = 0
    window_crowded: bool = True
    """Whether it was crowded all the time since."""
    crowded_since_s: float | None = None
    calm_since_s: float | None = None

    def crowded_for_s(self) -> float:
        """Without a break; 0: it is not."""
        return 0.0 if self.crowded_since_s is None else self.at_s - self.crowded_since_s

    def calm_for_s(self) -> float:
        """Without a break; 0: it is not."""
        return 0.0 if self.calm_since_s is None else self.at_s - self.calm_since_s


def looked(before: Crowd | None, look: Look, policy: Policy, now_s: float) -> Crowd:
    """What is known after one more look; another number of engines is another beginning."""
    ongoing = look.in_flight + look.waiting
    if before is None or before.engines != look.engines:
        return Crowd(
            at_s=now_s,
            engines=look.engines,
            level=float(ongoing),
            pace_per_s=before.pace_per_s if before else 0.0,
            window_s=now_s,
            window_ended=look.ended,
        )
    weight = 1 - math.exp(-(now_s - before.at_s) / SMOOTHING_S)
    level = before.level + (ongoing - before.level) * weight
    seen = _counted(replace(before, at_s=now_s, level=level), look)
    crowded = is_crowded(seen, look, policy)
    calm = not crowded and is_calm(seen, policy)
    return replace(
        seen,
        window_crowded=seen.window_crowded and crowded,
        crowded_since_s=_since_s(before.crowded_since_s, crowded, now_s),
        calm_since_s=_since_s(before.calm_since_s, calm, now_s),
    )


def is_crowded(seen: Crowd, look: Look, policy: Policy) -> bool:
    """Whether its engines have more to do than they should."""
    return look.waiting > 0 or seen.level > policy.copy_above_requests * seen.engines


def is_calm(seen: Crowd, policy: Policy) -> bool:
    """Whether one engine less would be enough by far."""
    left = (seen.engines - 1) * policy.copy_below_ratio
    slow = seen.pace_per_s > 0 and seen.rate_per_s > left * seen.pace_per_s
    return left > 0 and not slow and seen.level <= left * policy.copy_above_requests


def _counted(seen: Crowd, look: Look) -> Crowd:
    """With the rate, once a window is over."""
    elapsed_s = seen.at_s - seen.window_s
    if elapsed_s < WINDOW_S:
        return seen
    rate_per_s = max(0, look.ended - seen.window_ended) / elapsed_s
    pace_per_s = rate_per_s / seen.engines if seen.window_crowded else 0.0
    return replace(
        seen,
        rate_per_s=rate_per_s,
        pace_per_s=max(seen.pace_per_s, pace_per_s),
        window_s=seen.at_s,
        window_ended=look.ended,
        window_crowded=True,
    )


def _since_s(before_s: float | None, is_so: bool, now_s: float) -> float | None:
    if not is_so:
        return None
    return now_s if before_s is None else before_s


def too_many(books: Books, policy: Policy) -> list[Unload]:
    """One copy of each model that has more engines than it may or than it needs."""
    stopped = []
    for name, copies in books.copies.items():
        model = books.snapshot.model(name)
        reason = _why_less(model, copies, policy) if model else "its model is gone"
        copy = min(copies, key=lambda copy: (copy.in_flight, -copy.generation))
        if reason and books.can_stop(copy) and (model is None or books.is_here(model)):
            books.command(copy.device_ids, copy)
            stopped.append(Unload(name, reason, copy.copy_id, Cause.COPIES))
    return stopped


def _why_less(model: ModelView, copies: list[ModelView], policy: Policy) -> str:
    if any(engine.state in _CHANGING for engine in (model, *copies)):
        return ""  # one after the other
    if model.stale_files:
        return ""  # `replacing.py` sees to them
    if len(copies) >= model.max_engines:
        return f"its model may have {model.max_engines} engines"
    asleep = any(copy.state is ModelState.SLEEPING for copy in copies)
    if asleep:
        return "another engine of its model serves"
    calm = model.calm_for_s >= policy.drop_copy_after_s and model.calm_for_s > 0
    return f"one engine less is enough for {model.calm_for_s:.0f} s now" if calm else ""


def one_more(books: Books, policy: Policy) -> list[Load]:
    """An engine for each model that is crowded for long, most crowded first, where it is free."""
    crowded = [m for m in books.snapshot.models if m.crowded_for_s and m.max_engines > 1]
    loads = []
    for model in sorted(crowded, key=lambda model: (-model.crowded_for_s, model.model)):
        device = _where(books, model, policy) if _may_have_more(books, model, policy) else None
        if device is not None:
            books.take(device, model)
            books.command((device.device_id,), model)
            loads.append(_load(model, device))
    return loads


def _may_have_more(books: Books, model: ModelView, policy: Policy) -> bool:
    if model.crowded_for_s < policy.copy_after_s or model.copy_retry_in_s > 0:
        return False
    engines = [model, *books.copies.get(model.model, ())]
    going = model.removed or model.stale_files or model.unload_requested or model.blocked
    serve = all(engine.state is ModelState.LOADED for engine in engines)
    return serve and not going and len(engines) < model.max_engines and books.is_here(model)


def _where(books: Books, model: ModelView, policy: Policy) -> DeviceView | None:
    """The emptiest device that it fits on, without another engine of it, and without being fuller
    afterwards than idle models may keep it."""
    taken = set(model.device_ids)
    for copy in books.copies.get(model.model, ()):
        taken.update(copy.device_ids)
    roomy = [
        device
        for device in books.snapshot.devices
        if device.device_id not in taken
        and not books.busy(device)
        and 0 < model.needed.get(device.kind, 0) <= spare_bytes(books, device, policy)
    ]
    return min(roomy, key=lambda d: (-books.free[d.device_id], d.device_id), default=None)


def spare_bytes(books: Books, device: DeviceView, policy: Policy) -> float:
    """What is free there without it being fuller than idle models may keep it."""
    kept = device.total_bytes * (1 - policy.evict_when_memory_above_percent / 100)
    return books.free[device.device_id] - kept


def _load(model: ModelView, device: DeviceView) -> Load:
    return Load(
        model.model,
        device.agent_id,
        (device.device_id,),
        reserve_bytes=model.needed[device.kind],
        reason=f"its engines have had too many requests for {model.crowded_for_s:.0f} s",
        is_copy=True,
    )
