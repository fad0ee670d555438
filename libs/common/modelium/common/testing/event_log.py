"""The log of facts in memory: what `InMemoryBus` has stored, numbered from 1."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from modelium.common.envelope import Arrived, stored_event
from modelium.common.errors import DependencyUnavailable
from modelium.common.event_log import StoredEvent


class InMemoryEventLog:
    """Implements `event_log.EventLog`."""

    def __init__(self) -> None:
        self.answers = True
        self._events: list[StoredEvent] = []
        self._grown = asyncio.Event()

    def add(self, subject: str, arrived: Arrived) -> None:
        """A fact was stored."""
        self._events.append(stored_event(len(self._events) + 1, subject, arrived))
        self._grown.set()
        self._grown = asyncio.Event()

    async def position(self) -> int:
        self._must_answer()
        return len(self._events)

    @asynccontextmanager
    async def reading(self, after: int) -> AsyncIterator["_Reader"]:
        yield _Reader(self, after if after <= len(self._events) else 0)

    async def before(self, seq: int | None, *, most: int) -> list[StoredEvent]:
        self._must_answer()
        end = len(self._events) if seq is None else min(seq - 1, len(self._events))
        return self._events[max(0, end - most) : end][::-1]

    async def behind(self, seq: int) -> list[StoredEvent]:
        """At least one."""
        while len(self._events) <= seq:
            await self._grown.wait()
        return self._events[seq:]

    def _must_answer(self) -> None:
        if not self.answers:
            raise DependencyUnavailable("The bus in memory is away", "Set `answers` again")


class _Reader:
    def __init__(self, log: InMemoryEventLog, after: int) -> None:
        self._log = log
        self._after = after

    async def next(self) -> Sequence[StoredEvent]:
        found = await self._log.behind(self._after)
        self._after = found[-1].seq
        return found
