"""The heart: what to load, what to stop, and what waits for which reason.

`decide` is the only place where that is chosen. In this order: engines that must go (their files
are gone or replaced, an operator asked, the time is over for which a client wanted them kept) or
are to sleep because an operator asked, then everybody who waits, the oldest first, then models that
are always to be loaded, then models whose files were replaced while they are in use
(`replacing.py`), then advice. For
one who waits: its load is in flight, join it; it fits, load it; it fits once a device is no longer
busy, wait for that; a set of engines gives way, stop them (`displace.py`); no device is large
enough, take several (`spanning.py`); else queue with the reason. Whoever waits for what cannot be,
or longer than the bound (`bound.py`), is refused.

Whatever the snapshot says, the actions of one call promise no more bytes than are free, touch a
device once, start no engine of a model that may have one, and stop no model that is pinned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import ModelState
from modelium.core import displace, reasons, replacing, replicas, spanning
from modelium.core.actions import Action, Cause, Load, Queue, Unload, Wake
from modelium.core.books import Books
from modelium.core.bound import turn_s, wait_bounds_s
from modelium.core.giving_up import give_up_loads
from modelium.core.guard import guard
from modelium.core.policy import Policy, learned
from modelium.core.snapshot import STARTABLE, WAITABLE, DeviceView, ModelView, Snapshot
from modelium.core.tiers import asked_to_sleep, departure, overslept
from modelium.core.victims import STOPPABLE


def decide(
    snapshot: Snapshot,
    advice: Sequence[Decision],
    policy: Policy,
    *,
    advice_age_s: float = 0.0,
) -> list[Action]:
    """What to do now; the same snapshot always gives the same answer.

    `advice` is checked by `guard` against this snapshot first.
    """
    policy = learned(policy, snapshot.loads_s)
    followed = [d for d in guard(advice, snapshot, policy, age_s=advice_age_s) if not d.dropped_by]
    keep = frozenset(d.model for d in followed if d.action is DecidedAction.KEEP)
    books = Books(snapshot, keep)
    actions: list[Action] = [*_must_go(books), *asked_to_sleep(books, policy)]
    waiters, pinned_out = _waiters(snapshot), _pinned(snapshot)
    for waiter in waiters:
        actions += _within_bound(books, waiter, _serve(books, waiter, policy), policy)
    for pinned in pinned_out:
        actions += _serve(books, pinned, policy)
    actions += give_up_loads(books, (*waiters, *pinned_out), actions)
    actions += replacing.replace_in_use(books, policy, quiet=not _somebody_queues(actions))
    actions += _follow(books, _may_begin(books, followed, actions), policy)
    actions += overslept(books, policy)
    actions += replicas.too_many(books, policy)
    if not waiters and not pinned_out:
        actions += replicas.one_more(books, policy)
    return actions


def _must_go(books: Books) -> Iterable[Unload]:
    """A load under way is cancelled, which is the one order that does not wait for its device."""
    for model in (*books.snapshot.models, *books.snapshot.copies):
        cause, reason = _reason_to_go(model)
        cancelled = model.state is ModelState.LOADING and books.is_here(model)
        if reason and (cancelled or (model.state in STOPPABLE and books.can_stop(model))):
            books.command(model.device_ids, model)
            yield Unload(model.model, reason, model.copy_id, cause)


def _reason_to_go(model: ModelView) -> tuple[Cause, str]:
    """No text: none."""
    if model.removed:
        return Cause.FILES, "its files are gone"
    if _must_not_serve_old_files(model):
        return Cause.FILES, replacing.REASON
    if model.unload_requested and not model.pinned:
        return Cause.OPERATOR, "an operator asked for it"
    if _kept_long_enough(model):
        return Cause.IDLE, f"not used for the {model.keep_alive_s:g} s it was to be kept"
    return Cause.IDLE, ""


def _must_not_serve_old_files(model: ModelView) -> bool:
    replaced = model.stale_files and model.state in STOPPABLE
    return replaced and not replacing.is_replaced_in_use(model)


def _kept_long_enough(model: ModelView) -> bool:
    """Whether a client has said how long to keep it when idle, and that is over."""
    if model.keep_alive_s is None or model.keep_alive_s < 0 or model.pinned:
        return False
    used = model.in_flight or model.waiting or model.wanted_for_s is not None
    return model.state in STOPPABLE and not used and model.unused_s >= model.keep_alive_s


def _waiters(snapshot: Snapshot) -> list[ModelView]:
    """Models that somebody waits for and that do not serve, the oldest wait first."""
    waiting = [
        m
        for m in snapshot.models
        if m.wanted_for_s is not None and (not m.live or m.state is ModelState.SLEEPING)
    ]
    return sorted(waiting, key=lambda m: (-(m.wanted_for_s or 0.0), m.model))


def _pinned(snapshot: Snapshot) -> list[ModelView]:
    return [
        m
        for m in snapshot.models
        if m.pinned and m.wanted_for_s is None and m.state in WAITABLE and not m.removed
    ]


def _somebody_queues(actions: Iterable[Action]) -> bool:
    """Whether anybody waits for memory or a device who may get it."""
    return any(isinstance(action, Queue) and not action.never for action in actions)


def _serve(books: Books, waiter: ModelView, policy: Policy) -> Sequence[Action]:
    if waiter.blocked:
        return [Queue(waiter.model, waiter.blocked, cause=waiter.blocked)]
    if waiter.state not in WAITABLE or waiter.retry_in_s > 0:
        return []
    if waiter.state is ModelState.SLEEPING:
        return _wake(books, waiter, policy)
    roomy = books.roomy(waiter)
    if not roomy:
        several = spanning.serve(books, waiter, policy, _why(waiter))
        return several or [_fits_nowhere(books, waiter)]
    fitting = [d for d in roomy if books.fits(d, waiter)]
    idle = [d for d in fitting if not books.busy(d)]
    if idle:
        return [_load(books, waiter, idle, reason=_why(waiter))]
    if fitting:
        device = _emptiest(books, fitting)
        queue = displace.loading(books, waiter, device)
        books.take(device, waiter)
        return [queue]
    return displace.make_room(books, waiter, roomy, policy)


def _wake(books: Books, waiter: ModelView, policy: Policy) -> Sequence[Action]:
    """On the devices where it sleeps, once there is room."""
    if not books.is_here(waiter):
        return []
    devices = books.devices_of(waiter)
    if not all(books.fits(device, waiter) for device in devices):
        return spanning.make_room_on_all(books, waiter, devices, policy)
    busy = [device for device in devices if books.busy(device)]
    if busy:
        for device in devices:
            books.take(device, waiter)
        return [displace.loading(books, waiter, busy[0])]
    return _wake_if_it_fits(books, waiter, _why(waiter))


def _wake_if_it_fits(books: Books, model: ModelView, reason: str) -> Sequence[Action]:
    devices = books.devices_of(model)
    if not all(books.fits(device, model) for device in devices):
        return []
    for device in devices:
        books.take(device, model)
    books.command(model.device_ids, model)
    return [Wake(model.model, reason)]


def _load(books: Books, model: ModelView, idle: Sequence[DeviceView], *, reason: str) -> Load:
    """On the device with the most room, where it shares with the fewest."""
    device = _emptiest(books, idle)
    books.take(device, model)
    books.command((device.device_id,), model)
    return Load(
        model.model,
        device.agent_id,
        (device.device_id,),
        reserve_bytes=_needed(model, device),
        reason=reason,
    )


def _fits_nowhere(books: Books, waiter: ModelView) -> Queue:
    usable = _sized(books, waiter)
    if not usable:
        return Queue(waiter.model, "no runtime agent with a device is alive", cause="no-device")
    # Were nothing pinned there, these could hold it.
    large = [d for d in usable if _needed(waiter, d) <= d.total_bytes]
    best = max(
        large or usable,
        key=lambda d: (books.left[d.device_id] if large else d.total_bytes, d.device_id),
    )
    beside = books.pinned[best.device_id] if large else ()
    reason = reasons.too_small(_needed(waiter, best), best, books.left[best.device_id], beside)
    cause = f"never:{best.device_id}:{reasons.names(beside)}"
    return Queue(waiter.model, reason, cause=cause, never=True, device_id=best.device_id)


def _within_bound(
    books: Books, waiter: ModelView, actions: Sequence[Action], policy: Policy
) -> Sequence[Action]:
    """Nobody waits longer than the bound: whoever cannot be served by then is told so."""
    queues = [action for action in actions if isinstance(action, Queue) and not action.never]
    waited_s = waiter.wanted_for_s or 0.0
    if not queues or waited_s <= policy.displace_after_s + turn_s(waiter, policy):
        return actions  # the bound is never less
    books.bounds_s = books.bounds_s or wait_bounds_s(books.snapshot, policy)
    bound_s = books.bounds_s[waiter.model]
    if waited_s <= bound_s:
        return actions
    return [_refused(a, bound_s) if isinstance(a, Queue) else a for a in actions]


def _refused(queue: Queue, bound_s: float) -> Queue:
    reason = f"{queue.reason}; nobody waits for it longer than {bound_s:.0f} s"
    return replace(queue, reason=reason, cause=f"bound:{queue.cause}", never=True)


def _may_begin(
    books: Books, advice: Sequence[Decision], actions: Iterable[Action]
) -> Sequence[Decision]:
    """Without loads ahead while somebody queues, for whom they would be given up again."""
    if not _somebody_queues(actions):
        return advice
    return [
        decision
        for decision in advice
        if decision.action is not DecidedAction.LOAD
        or ((model := books.snapshot.model(decision.model)) is not None and model.is_wanted)
    ]


def _follow(books: Books, advice: Iterable[Decision], policy: Policy) -> Iterable[Action]:
    for decision in advice:
        model = books.snapshot.model(decision.model)
        if model is not None and model.model not in books.commanded.values():
            yield from _followed(books, model, decision, policy)


def _followed(
    books: Books, model: ModelView, decision: Decision, policy: Policy
) -> Iterable[Action]:
    reason = decision.reason
    match decision.action:
        case DecidedAction.EVICT if books.can_stop(model):
            books.command(model.device_ids, model)
            yield Unload(model.model, reason, cause=Cause.ADVICE)
        case DecidedAction.SLEEP if books.can_stop(model):
            yield departure(books, model, reason, policy, Cause.ADVICE)
        case DecidedAction.WAKE if books.can_stop(model):
            yield from _wake_if_it_fits(books, model, reason)
        case DecidedAction.LOAD if model.state in STARTABLE:
            idle = [d for d in _sized(books, model) if books.fits(d, model) and not books.busy(d)]
            ahead = not model.is_wanted
            if idle:
                yield replace(_load(books, model, idle, reason=reason), is_ahead=ahead)
            elif not books.roomy(model):
                loads = spanning.load_into_free(books, model, reason)
                yield from (replace(load, is_ahead=ahead) for load in loads)


def _sized(books: Books, model: ModelView) -> list[DeviceView]:
    return [d for d in books.snapshot.devices if _needed(model, d) > 0]


def _emptiest(books: Books, devices: Sequence[DeviceView]) -> DeviceView:
    return min(devices, key=lambda d: (-books.free[d.device_id], d.device_id))


def _needed(model: ModelView, device: DeviceView) -> int:
    return model.needed.get(device.kind, 0)


def _why(model: ModelView) -> str:
    return "pinned" if model.wanted_for_s is None else "somebody waits"
