"""Making room for a waiter that fits nowhere: which device, which engines, now or later.

An engine in use is displaced only for somebody who has waited long enough or who is worth more;
one that was just loaded serves its minimum time first. See `Policy` for the numbers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from modelium.common.records import ModelState
from modelium.core import reasons
from modelium.core.actions import Action, Command, Queue, Unload
from modelium.core.books import Books
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView
from modelium.core.tiers import departure, frees_bytes
from modelium.core.victims import (
    STOPPABLE,
    Frees,
    VictimSet,
    displacement_cost,
    held_bytes,
    smallest_set,
)


@dataclass(frozen=True, slots=True)
class _Way:
    """One device on which the waiter can be served, and who gives way."""

    device: DeviceView
    leaving: tuple[ModelView, ...]
    """Already on their way out."""
    victims: VictimSet

    @property
    def interrupts(self) -> int:
        """Requests that end before it is free, or at the drain deadline; not those of copies."""
        return sum([victim.in_flight for victim in self.victims.victims if not victim.copy_id])

    @property
    def touches(self) -> frozenset[str]:
        """All devices that its victims have."""
        return frozenset().union(*(victim.device_ids for victim in self.victims.victims))


def make_room(
    books: Books,
    waiter: ModelView,
    roomy: Sequence[DeviceView],
    policy: Policy,
) -> list[Action]:
    """Evict for the waiter, or queue it with the reason.

    `roomy` are the devices that are large enough for it when empty.
    """
    now, later = _best_ways(books, waiter, roomy, policy)
    if now:
        return _evict(books, waiter, _sparing(books, waiter, now, policy), policy)
    if later and _aged(books, waiter, policy):
        return [_hold(books, waiter, later, policy)]
    return [_explain(books, waiter, roomy, policy)]


def _best_ways(
    books: Books, waiter: ModelView, roomy: Iterable[DeviceView], policy: Policy
) -> tuple[_Way | None, _Way | None]:
    """The best now; without one, the best once its victims have served their minimum time.

    Devices are looked at in the order of the best that each can offer, and no longer once that is
    less than what was found.
    """
    worth = _worth(books, waiter, policy)
    now: _Way | None = None
    later: _Way | None = None
    for offers_s, device in _open(books, roomy):
        if now and offers_s < now.victims.next_use_s and not now.interrupts:
            break
        if not offers_s and books.least_cost(device, policy) > worth:
            continue  # all are in use
        way = _way(books, waiter, device, policy)
        if way is None:
            continue
        if way.victims.protected_s > 0:
            later = _better(later, way)
        elif way.victims.cost <= worth:
            now = _better(now, way)
    return now, later


def _sparing(books: Books, waiter: ModelView, way: _Way, policy: Policy) -> _Way:
    """On the same device without those whom advice would keep, if nobody waits longer for that."""
    if books.keep.isdisjoint(victim.model for victim in way.victims.victims):
        return way
    other = _way(books, waiter, way.device, policy, books.keep)
    if other is None or other.victims.protected_s > 0 or other.interrupts > way.interrupts:
        return way
    as_cheap = other.victims.cost <= _worth(books, waiter, policy)
    return other if as_cheap and other.touches <= way.touches else way


def _open(books: Books, roomy: Iterable[DeviceView]) -> list[tuple[float, DeviceView]]:
    """Devices that can still be emptied, and how long whoever goes there will at best be unused."""
    found = [
        (math.inf if books.busy(device) else books.longest_unused_s(device), device)
        for device in roomy
        if device.device_id not in books.claimed and device.device_id not in books.commanded
    ]
    return sorted(found, key=_offer, reverse=True)


_offer: Final = itemgetter(0)


def _better(known: _Way | None, way: _Way) -> _Way:
    return way if known is None or _preference(way) < _preference(known) else known


def _way(
    books: Books,
    waiter: ModelView,
    device: DeviceView,
    policy: Policy,
    keep: frozenset[str] = frozenset(),
) -> _Way | None:
    leaving: tuple[ModelView, ...] = ()
    if books.busy(device):
        leaving = books.in_state(device, ModelState.UNLOADING)
        if not leaving:
            return None
    free = books.free[device.device_id] + sum([m.held_bytes for m in leaving])
    short = max(0, waiter.more_bytes(device) - free)
    victims = _victims(books, waiter, device, short, policy, keep)
    return _Way(device, leaving, victims) if victims else None


def _victims(
    books: Books,
    waiter: ModelView,
    device: DeviceView,
    short: int,
    policy: Policy,
    keep: frozenset[str],
) -> VictimSet | None:
    """They sleep where that frees enough, and go away where only that does."""

    def smallest(frees: Frees) -> VictimSet | None:
        candidates = (m for m in books.by_worth(device, keep) if _may_go(m, waiter))
        return smallest_set(candidates, short, policy, books.next_use_s, frees)

    if not books.anybody_can_sleep:
        return smallest(held_bytes)
    asleep = smallest(lambda model: frees_bytes(books, model, policy))
    if asleep is not None:
        return asleep
    gone = smallest(held_bytes)
    return replace(gone, all_go=True) if gone else None


def _may_go(candidate: ModelView, waiter: ModelView) -> bool:
    """A pinned model never goes; one that somebody waits for does not go for nobody; a copy always
    does."""
    if candidate.pinned or candidate is waiter:
        return False
    if candidate.copy_id:
        return True
    if waiter.wanted_for_s is None:
        return candidate.unused_s > 0 and not candidate.waiting
    return True


def _worth(books: Books, waiter: ModelView, policy: Policy) -> float:
    """The cost at which others may be displaced for it."""
    if _aged(books, waiter, policy):
        return math.inf
    return max(1, displacement_cost(waiter, policy))


def _aged(books: Books, waiter: ModelView, policy: Policy) -> bool:
    """Where more models wait, each waits longer for its turn: else age would displace all."""
    patience_s = policy.displace_after_s * max(1, books.waiting)
    return waiter.wanted_for_s is not None and waiter.wanted_for_s >= patience_s


def _preference(way: _Way) -> tuple[float, int, float, int, str]:
    """Soonest, then where nobody is interrupted and what goes will be missed last."""
    victims = way.victims
    return (
        victims.protected_s,
        way.interrupts,
        -victims.next_use_s,
        len(victims.victims),
        way.device.device_id,
    )


def _evict(books: Books, waiter: ModelView, way: _Way, policy: Policy) -> list[Action]:
    """Stop the first victim; the others follow, one at a time, as the snapshot changes."""
    books.claimed[way.device.device_id] = waiter.model
    going = (*way.leaving, *way.victims.victims)
    names = reasons.names(going)
    queue = Queue(
        waiter.model,
        f"{_room(books, waiter, way.device)}; waiting for {names} to drain",
        cause=f"drain:{way.device.device_id}:{names}",
        device_id=way.device.device_id,
        victims=tuple(model.key for model in going),
    )
    stoppable = [victim for victim in way.victims.victims if books.can_stop(victim)]
    if not stoppable:
        return [queue]
    return [_stop(books, stoppable[0], waiter, way, policy), queue]


def _stop(books: Books, victim: ModelView, waiter: ModelView, way: _Way, policy: Policy) -> Command:
    reason = f"makes room for {waiter.model}"
    if not way.victims.all_go and not victim.copy_id:
        return departure(books, victim, reason, policy)
    books.command(victim.device_ids, victim)
    return Unload(victim.model, reason, victim.copy_id)


def _hold(books: Books, waiter: ModelView, way: _Way, policy: Policy) -> Queue:
    """Close the device to everybody younger until its engines may go."""
    books.claimed[way.device.device_id] = waiter.model
    return _because(books, waiter, way.device, way.victims.victims, policy)


def _explain(books: Books, waiter: ModelView, roomy: Sequence[DeviceView], policy: Policy) -> Queue:
    device = max(roomy, key=lambda d: (books.free[d.device_id], d.device_id))
    older = books.claimed.get(device.device_id)
    if older:
        reason = f"{_room(books, waiter, device)}; {older} is served there first"
        cause = f"behind:{device.device_id}:{older}"
        return Queue(waiter.model, reason, cause=cause, device_id=device.device_id)
    if books.busy(device):
        return loading(books, waiter, device)
    return _because(books, waiter, device, books.in_state(device, *STOPPABLE), policy)


def loading(books: Books, waiter: ModelView, device: DeviceView) -> Queue:
    """It waits until whatever happens on the device now is over."""
    others = {m.model for m in books.in_state(device, ModelState.LOADING, ModelState.UNLOADING)}
    if device.device_id in books.commanded:
        others.add(books.commanded[device.device_id])
    listed = ", ".join(sorted(others)) or "another engine"
    reason = f"waiting until {listed} is started or stopped on {device.name}"
    if books.free[device.device_id] < waiter.more_bytes(device):
        reason = f"{_room(books, waiter, device)}; {reason}"
    cause = f"busy:{device.device_id}:{listed}"
    return Queue(waiter.model, reason, cause=cause, device_id=device.device_id)


def _because(
    books: Books,
    waiter: ModelView,
    device: DeviceView,
    residents: Iterable[ModelView],
    policy: Policy,
) -> Queue:
    sentence, cause = reasons.obstacle(residents, policy)
    reason = f"{_room(books, waiter, device)}; {sentence}"
    cause = f"{cause}:{device.device_id}"
    return Queue(waiter.model, reason, cause=cause, device_id=device.device_id)


def _room(books: Books, waiter: ModelView, device: DeviceView) -> str:
    return reasons.room(waiter.more_bytes(device), device, books.free[device.device_id])
