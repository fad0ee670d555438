"""Does something whenever it is due: at the start, when somebody says so, and now and then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from modelium.common.clock import Clock


class Reminder:
    """One task runs `run`; times it was due while `work` went on count once."""

    def __init__(self, clock: Clock, period_s: float) -> None:
        self._clock = clock
        self._period_s = period_s
        self._due = asyncio.Event()

    def soon(self) -> None:
        """It is due now."""
        self._due.set()

    async def run(self, work: Callable[[], Awaitable[None]]) -> NoReturn:
        """Await `work()` each time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._remind())
            while True:
                await self._due.wait()
                self._due.clear()
                await work()

    async def _remind(self) -> NoReturn:
        while True:
            self._due.set()
            await self._clock.sleep(self._period_s)
