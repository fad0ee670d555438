"""The only place that reads the time or waits for it.

Everything that needs time takes a `Clock`; tests pass `testing.FakeClock` and move it by hand.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


def utc_now() -> datetime:
    """The wall clock, aware of being UTC; for stamping messages and records."""
    return datetime.now(UTC)


class Clock(Protocol):
    """Time as a dependency."""

    def now(self) -> datetime:
        """Wall clock in UTC; may jump, so never subtract two of them for a duration."""

    def monotonic(self) -> float:
        """Seconds that only ever grow; for durations and deadlines."""

    async def sleep(self, delay_s: float) -> None:
        """Wait for `delay_s` seconds of this clock."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return utc_now()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
