"""Who waits for which model; woken, never polling.

Bounded in requests per model and in bytes of all of them. Nothing here knows why somebody waits:
`holding.py` does. Who goes first and who gives way is decided by `shares.py`.
"""

import asyncio
import math
from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelium.common.errors import ModeliumError
from modelium.gateway.edge.call import Call
from modelium.gateway.engines.instance import Lease
from modelium.gateway.waiting.flow import Flow
from modelium.gateway.waiting.shares import Claim, giving_way, next_organization, position

_AGAIN: Final = 1 << 62
"""Tickets of those who come again are lower than all others."""


class QueueFull(ModeliumError):
    """There is no place for one more: as many as may wait for `model` do.

    Or `max_bytes`, if given, are held for those that wait for any model.
    """

    def __init__(self, model: str, waiting: int, max_bytes: int | None = None) -> None:
        super().__init__(f"{waiting} requests already wait for {model}")
        self.model = model
        self.waiting = waiting
        self.max_bytes = max_bytes


@dataclass(eq=False, slots=True)
class Waiter:
    """One request in a queue. Times are monotonic seconds."""

    call: Call
    organization: str
    ticket: int
    since_s: float
    committed: bool = False
    """Its answer has begun, or it has been at an engine: it does not give way any more."""
    displaced: bool = False
    """It had to give way, and has no place any more."""
    caused_load: bool = False
    """Nobody else wanted the model when it came, and it was not loaded."""
    woke: bool = False
    """The load is only a wake: the engine slept."""
    wake_at_s: float = math.inf
    lease: Lease | None = None
    load_took_s: float | None = None
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> str:
        """What it waits for."""
        return self.call.model

    @property
    def size_bytes(self) -> int:
        """What of it is kept in memory."""
        return len(self.call.body)

    def load_s(self) -> float:
        """How long the load took that it has caused; 0 if it caused none, or before the end."""
        return self.load_took_s or 0.0

    async def sleep(self, until_s: float) -> None:
        """Wait until `wake` is called, or `WaitingRoom.wake_due` with a time past `until_s`."""
        self.wake_at_s = until_s
        await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        """Let it look again."""
        self._woken.set()

    def grant(self, lease: Lease) -> None:
        """Let it go, with this lease."""
        self.lease = lease
        self.wake()

    def displace(self) -> None:
        """Let it give up, for one with a better right to its place."""
        self.displaced = True
        self.wake()


def _claim(waiter: Waiter, size: int) -> Claim:
    return Claim(waiter.organization, waiter.ticket, size)


@dataclass
class _Queue:
    waiters: dict[int, Waiter] = field(default_factory=dict)
    """By ticket."""
    tickets: dict[str, list[int]] = field(default_factory=dict)
    """By organisation."""


@dataclass
class WaitingRoom:
    """One queue per model."""

    max_per_model: int
    max_bytes: int
    _queues: dict[str, _Queue] = field(default_factory=dict)
    _next_ticket: int = 0
    _bytes: dict[str, int] = field(default_factory=dict)
    """By organisation, over all models."""
    _total_bytes: int = 0
    _flows: dict[str, Flow] = field(default_factory=dict)

    def enter(self, call: Call, organization: str, now_s: float, *, again: bool = False) -> Waiter:
        """Join the end of the model's queue; `again`: its beginning, however full it is.

        Who has been at an engine that died has had its turn, and must not lose it by that.

        If that is full, an organisation that has less than its part of it takes the place of the
        newest request of the one that has most, which is displaced.

        Raises:
            QueueFull: there is no such place.
        """
        if not again:
            self._make_room(call, organization)
        self._next_ticket += 1
        ticket = self._next_ticket - _AGAIN if again else self._next_ticket
        waiter = Waiter(call, organization, ticket, now_s, committed=again)
        queue = self._queues.setdefault(call.model, _Queue())
        queue.waiters[waiter.ticket] = waiter
        insort(queue.tickets.setdefault(organization, []), waiter.ticket)
        self._hold(organization, waiter.size_bytes)
        return waiter

    def _make_room(self, call: Call, organization: str) -> None:
        displaced = {
            *self._for_place(call.model, organization),
            *self._for_bytes(call, organization),
        }
        for waiter in displaced:
            self.leave(waiter)
            waiter.displace()

    def _for_place(self, model: str, organization: str) -> list[Waiter]:
        """Who gives way so that one more may wait for the model."""
        queue = self._queues.get(model)
        if queue is None or len(queue.waiters) < self.max_per_model:
            return []
        held = {name: len(tickets) for name, tickets in queue.tickets.items()}
        waiters = (waiter for _, waiter in sorted(queue.waiters.items()))
        claims = (_claim(waiter, 1) for waiter in waiters if not waiter.committed)
        tickets = giving_way(held, claims, organization, 1, self.max_per_model)
        if tickets is None:
            raise QueueFull(model, len(queue.waiters))
        return [queue.waiters[ticket] for ticket in tickets]

    def _for_bytes(self, call: Call, organization: str) -> list[Waiter]:
        """Who gives way so that this body may wait."""
        if self._total_bytes + len(call.body) <= self.max_bytes:
            return []
        waiters = {t: w for queue in self._queues.values() for t, w in queue.waiters.items()}
        claims = (
            _claim(waiter, waiter.size_bytes)
            for _, waiter in sorted(waiters.items())
            if not waiter.committed
        )
        tickets = giving_way(self._bytes, claims, organization, len(call.body), self.max_bytes)
        if tickets is None:
            raise QueueFull(call.model, self.count(call.model), self.max_bytes)
        return [waiters[ticket] for ticket in tickets]

    def leave(self, waiter: Waiter) -> bool:
        """Leave the queue; no harm if it has left already. Whether it was in it."""
        queue = self._queues.get(waiter.model)
        if queue is None or queue.waiters.pop(waiter.ticket, None) is None:
            return False
        tickets = queue.tickets[waiter.organization]
        del tickets[bisect_left(tickets, waiter.ticket)]
        if not tickets:
            del queue.tickets[waiter.organization]
        if not queue.waiters:
            del self._queues[waiter.model]
        self._hold(waiter.organization, -waiter.size_bytes)
        return True

    def let_go(self, waiter: Waiter, now_s: float) -> None:
        """It leaves the queue for an engine."""
        self.leave(waiter)
        flow = self._flows.setdefault(waiter.model, Flow())
        flow.went(now_s, behind=self.count(waiter.model))

    def empties_in_s(self, model: str) -> float:
        """Until all that wait for a model have gone, as fast as they go when it is loaded.

        0 where nobody knows that.
        """
        flow = self._flows.get(model)
        return flow.takes_s(self.count(model)) if flow else 0.0

    def _hold(self, organization: str, size_bytes: int) -> None:
        self._total_bytes += size_bytes
        held = self._bytes[organization] = self._bytes.get(organization, 0) + size_bytes
        if not held:
            del self._bytes[organization]

    def next(self, model: str, in_flight: Mapping[str, int]) -> Waiter:
        """The one that goes next; somebody has to wait for `model`."""
        queue = self._queues[model]
        organization = next_organization(queue.tickets, in_flight)
        return queue.waiters[queue.tickets[organization][0]]

    def position(self, waiter: Waiter, in_flight: Mapping[str, int]) -> int:
        """1 for the one that goes next."""
        queue = self._queues.get(waiter.model)
        if queue is None or waiter.ticket not in queue.waiters:
            return 1
        return position(queue.tickets, in_flight, waiter.organization, waiter.ticket)

    def oldest(self, model: str) -> Waiter | None:
        """The one that has waited longest."""
        queue = self._queues.get(model)
        if queue is None:
            return None
        return queue.waiters[min(tickets[0] for tickets in queue.tickets.values())]

    def count(self, model: str) -> int:
        """How many wait for a model."""
        queue = self._queues.get(model)
        return len(queue.waiters) if queue else 0

    def oldest_wait_s(self, model: str, now_s: float) -> float:
        """How long the oldest in the queue has waited; 0 if nobody does."""
        oldest = self.oldest(model)
        return max(0.0, now_s - oldest.since_s) if oldest else 0.0

    def models(self) -> list[str]:
        """The models that somebody waits for."""
        return list(self._queues)

    def since_s(self) -> dict[str, float]:
        """Since when each model is waited for that somebody waits for, the longest wait first."""
        since_s = {name: oldest.since_s for name in self._queues if (oldest := self.oldest(name))}
        return dict(sorted(since_s.items(), key=lambda item: item[1]))

    def ahead_of(self, model: str) -> list[str]:
        """The models that somebody has waited for longer, the longest first."""
        since_s = self.since_s()
        mine_s = since_s.get(model, math.inf)
        return [name for name, at_s in since_s.items() if at_s < mine_s]

    def wake(self, model: str) -> None:
        """Let all who wait for `model` look again: there may be no sense in waiting any more."""
        queue = self._queues.get(model)
        for waiter in queue.waiters.values() if queue else ():
            waiter.wake()

    def wake_due(self, now_s: float) -> None:
        """Let those look again whose time has come."""
        for queue in self._queues.values():
            for waiter in queue.waiters.values():
                if waiter.wake_at_s <= now_s:
                    waiter.wake()
