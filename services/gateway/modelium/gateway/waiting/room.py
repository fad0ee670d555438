"""Who waits for which model, in order of arrival; woken, never polling.

Nothing here knows why somebody waits: `holding.py` does.
"""

import asyncio
import math
from bisect import bisect_left
from dataclasses import dataclass, field

from modelium.common.errors import ModeliumError


class QueueFull(ModeliumError):
    """As many as may wait for `model` do."""

    def __init__(self, model: str, waiting: int) -> None:
        super().__init__(f"{waiting} requests already wait for {model}")
        self.model = model
        self.waiting = waiting


@dataclass(eq=False, slots=True)
class Waiter:
    """One request in a queue. Times are monotonic seconds."""

    model: str
    ticket: int
    since_s: float
    wake_at_s: float = math.inf
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, until_s: float) -> None:
        """Wait until `wake` is called, or `WaitingRoom.wake_due` with a time past `until_s`."""
        self.wake_at_s = until_s
        await self._woken.wait()
        self._woken.clear()

    def wake(self) -> None:
        """Let it look again."""
        self._woken.set()


@dataclass
class _Queue:
    tickets: list[int] = field(default_factory=list)
    waiters: dict[int, Waiter] = field(default_factory=dict)


@dataclass
class WaitingRoom:
    """One bounded queue per model."""

    max_per_model: int
    _queues: dict[str, _Queue] = field(default_factory=dict)
    _next_ticket: int = 0

    def enter(self, model: str, now_s: float) -> Waiter:
        """Join the end of the model's queue.

        Raises:
            QueueFull: it is at its bound.
        """
        queue = self._queues.setdefault(model, _Queue())
        if len(queue.tickets) >= self.max_per_model:
            raise QueueFull(model, len(queue.tickets))
        self._next_ticket += 1
        waiter = Waiter(model, self._next_ticket, now_s)
        queue.tickets.append(waiter.ticket)
        queue.waiters[waiter.ticket] = waiter
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Leave the queue; no harm if it has left already."""
        queue = self._queues.get(waiter.model)
        if queue is None or queue.waiters.pop(waiter.ticket, None) is None:
            return
        del queue.tickets[bisect_left(queue.tickets, waiter.ticket)]
        if not queue.tickets:
            del self._queues[waiter.model]

    def position(self, waiter: Waiter) -> int:
        """1 for the one that has waited longest."""
        queue = self._queues.get(waiter.model)
        return bisect_left(queue.tickets, waiter.ticket) + 1 if queue else 1

    def count(self, model: str) -> int:
        """How many wait for a model."""
        queue = self._queues.get(model)
        return len(queue.tickets) if queue else 0

    def oldest_wait_s(self, model: str, now_s: float) -> float:
        """How long the first in the queue has waited; 0 if nobody does."""
        queue = self._queues.get(model)
        return max(0.0, now_s - queue.waiters[queue.tickets[0]].since_s) if queue else 0.0

    def models(self) -> list[str]:
        """The models that somebody waits for."""
        return list(self._queues)

    def wake(self, model: str) -> None:
        """Let all who wait for `model` look again: its record has changed."""
        queue = self._queues.get(model)
        for waiter in queue.waiters.values() if queue else ():
            waiter.wake()

    def wake_due(self, now_s: float) -> None:
        """Let those look again whose time has come."""
        for queue in self._queues.values():
            for waiter in queue.waiters.values():
                if waiter.wake_at_s <= now_s:
                    waiter.wake()
