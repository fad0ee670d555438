"""Loads that are given up for somebody who waits: those that nobody would miss. Pure.

Such are loads of copies, whose models are served without them, and loads by advice of models that
nobody has asked for yet. Whoever makes others give way already does not need them.
"""

from collections.abc import Iterable, Sequence

from modelium.common.records import ModelState
from modelium.core.actions import Action, Queue, Unload
from modelium.core.books import Books
from modelium.core.snapshot import ModelView


def give_up_loads(
    books: Books, waiters: Iterable[ModelView], actions: Iterable[Action]
) -> list[Unload]:
    """One for each waiter who queues, on a device that it can use.

    `actions` are those of this round so far.
    """
    queued = {a.model for a in actions if isinstance(a, Queue) and not (a.never or a.victims)}
    missed_by_nobody = _missed_by_nobody(books) if queued else []
    given_up = []
    for waiter in waiters if missed_by_nobody else ():
        engine = _in_the_way(books, waiter, missed_by_nobody) if waiter.model in queued else None
        if engine is not None:
            books.command(engine.device_ids, engine)
            reason = f"{waiter.model} waits for its device"
            given_up.append(Unload(engine.model, reason, engine.copy_id))
    return given_up


def _missed_by_nobody(books: Books) -> list[ModelView]:
    ahead = [m for m in books.snapshot.models if m.loaded_ahead_s is not None and not m.is_wanted]
    return [*books.snapshot.copies, *ahead]


def _in_the_way(books: Books, waiter: ModelView, engines: Sequence[ModelView]) -> ModelView | None:
    """The load after which most is free; None: none, or one is given up for it already."""
    here = [engine for engine in engines if _wants(books, waiter, engine)]
    if any(engine.state is ModelState.UNLOADING for engine in here):
        return None
    loads = [e for e in here if e.state is ModelState.LOADING and books.is_here(e)]
    return max(loads, key=lambda engine: (_freed_bytes(books, engine), engine.key), default=None)


def _wants(books: Books, waiter: ModelView, engine: ModelView) -> bool:
    here = books.devices_of(engine)
    return bool(waiter.spans) or any(books.can_hold(device, waiter) for device in here)


def _freed_bytes(books: Books, engine: ModelView) -> int:
    return min(d.free_bytes for d in books.devices_of(engine)) + engine.held_bytes
