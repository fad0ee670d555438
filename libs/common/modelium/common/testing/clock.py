"""A clock that only moves when a test says so."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from modelium.common.clock import SystemClock

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PASSES: Final = 50


async def yield_to_others(passes: int = _PASSES) -> None:
    """Let every task that can run go on, `passes` steps of the loop long."""
    for _ in range(passes):
        await SystemClock().sleep(0)


class FakeClock:
    """`advance` wakes sleepers in the order of their deadlines, each at its own time."""

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, delay_s: float) -> None:
        if delay_s <= 0:
            await yield_to_others(1)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + delay_s, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def until_sleeping(self, tasks: int = 1) -> None:
        """Wait until at least `tasks` of them sleep."""
        while self.sleepers < tasks:
            await yield_to_others(1)

    def jump(self, seconds: float) -> None:
        """Be later at once, before anybody who sleeps has noticed: the process was held up."""
        self._elapsed_s += seconds

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`; whatever can run has run when this returns."""
        target_s = self._elapsed_s + seconds
        await yield_to_others()
        while self._sleepers and self._sleepers[0][0] <= target_s:
            deadline_s, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self._elapsed_s = max(self._elapsed_s, deadline_s)  # late after a jump
            woken.set_result(None)
            await yield_to_others()
        self._elapsed_s = target_s
        await yield_to_others()
