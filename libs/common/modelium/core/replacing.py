"""A model whose files were replaced in place: how the engine of the old ones is replaced. Pure.

Nothing is done before the new files are analysed and can be served (`ModelView.stale_files`). Then,
for a model that is pinned, in use or was used lately, the new files are loaded beside the old
engine, as a copy, where memory is free; the registry sends requests to the new engine once it has
answered its canary, and what serves old files goes. It may be on the old engine's device, and more
engines than the model may have otherwise; else the rules are those of a copy (`replicas.py`): for
it nobody is displaced, it is not begun while anybody waits for memory or a device, and its load is
given up for a waiter.

Where memory is not free, the old engines are stopped, a copy first, and the new files are loaded
when they are wanted. Not so where they have failed to load beside the old ones: these are served
until a later try succeeds.
"""

from collections.abc import Sequence
from typing import Final

from modelium.common.records import ModelState
from modelium.core.actions import Cause, Load, Unload
from modelium.core.books import CHANGING, Books
from modelium.core.policy import Policy
from modelium.core.replicas import spare_bytes
from modelium.core.snapshot import DeviceView, ModelView

USED_LATELY_S: Final = 300.0
"""Whoever was used since is likely to be used before it would be loaded again."""
REASON: Final = "its files have changed"


def is_replaced_in_use(model: ModelView) -> bool:
    """Whether its engine of old files goes on until one of the new files serves."""
    if model.copy_id or not model.stale_files or model.state is not ModelState.LOADED:
        return False
    kept = model.pinned or (model.keep_alive_s is not None and model.keep_alive_s < 0)
    used = model.in_flight or model.waiting or model.unused_s < USED_LATELY_S
    return bool(kept or used or model.new_files_failed) and not model.blocked


def replace_in_use(books: Books, policy: Policy, *, quiet: bool) -> list[Load | Unload]:
    """The next step for each such model; `quiet` is when nobody waits for room who may get it."""
    steps = []
    for model in books.snapshot.models:
        if is_replaced_in_use(model) and not _goes_anyway(model):
            step = _step(books, model, policy, quiet=quiet)
            steps += [step] if step else []
    return steps


def _goes_anyway(model: ModelView) -> bool:
    return model.removed or (model.unload_requested and not model.pinned)


def _step(books: Books, model: ModelView, policy: Policy, *, quiet: bool) -> Load | Unload | None:
    copies = books.copies.get(model.model, ())
    ordered = not all(books.is_here(engine) for engine in (model, *copies))
    if ordered or any(copy.state in CHANGING for copy in copies) or model.copy_retry_in_s > 0:
        return None  # one after the other
    fitting = [d for d in books.snapshot.devices if _fits(books, d, model, policy)]
    idle = [device for device in fitting if not books.busy(device)]
    if idle and quiet:
        return _beside(books, model, idle)
    if fitting or model.new_files_failed:
        return None
    return _make_room(books, model, copies)


def _fits(books: Books, device: DeviceView, model: ModelView, policy: Policy) -> bool:
    needed = model.needed.get(device.kind, 0)
    open_to_it = device.device_id not in books.claimed
    return open_to_it and 0 < needed <= spare_bytes(books, device, policy)


def _beside(books: Books, model: ModelView, idle: Sequence[DeviceView]) -> Load:
    device = min(idle, key=lambda d: (-books.free[d.device_id], d.device_id))
    needed = model.needed[device.kind]
    books.free[device.device_id] -= needed
    books.command((device.device_id,), model)
    return Load(
        model.model,
        device.agent_id,
        (device.device_id,),
        reserve_bytes=needed,
        reason=REASON,
        is_copy=True,
    )


def _make_room(books: Books, model: ModelView, copies: Sequence[ModelView]) -> Unload | None:
    """Without the engines that have less to do the new files may fit beside those left."""
    leaving = min(copies, key=lambda copy: (copy.in_flight, -copy.generation), default=model)
    if not books.can_stop(leaving):
        return None
    books.command(leaving.device_ids, leaving)
    return Unload(model.model, REASON, leaving.copy_id, Cause.FILES)
