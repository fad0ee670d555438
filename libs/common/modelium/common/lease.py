"""One of several processes of a service leads: a lease that is renewed, and fencing by its epoch.

            free, given back, or not renewed for its length
    follows ───────────────────────────────────────────────▶ leads
       ▲                                                       │
       └──────────────── another has written ◀─────────────────┘

The lease is one cell that is written by compare-and-set (`nats_lease.py`). No two clocks are
compared: who follows measures by its own for how long the cell did not change, who leads counts
from the beginning of its last renewal, and stops before anybody else could begin. The epoch is the
cell's revision when the lease was acquired, so that each leader's is higher than all before.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from modelium.common import metrics
from modelium.common.clock import Clock
from modelium.common.errors import Conflict, DependencyUnavailable

RENEWALS: Final = 4
"""In the length of a lease; twice as often look those who follow, and try those who failed."""
TRUSTED_PART: Final = 0.75
"""Of its length, after which a lease that was not renewed is no longer relied upon."""
NOBODY: Final = ""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """What the cell says: by whom the lease is held, and for how long without a renewal."""

    holder: str
    seconds: float
    revision: int


class LeaseCell(Protocol):
    """One value that many may write. Revisions only grow, also if what was stored is lost.

    Both calls raise `DependencyUnavailable` when nobody answers; a write may have worked then.
    """

    async def read(self) -> Held | None:
        """What was written last; None: nothing yet."""

    async def write(self, holder: str, seconds: float, *, after: int) -> int:
        """Write if the last revision is `after` (0: nothing yet); returns the new one.

        Raises:
            Conflict: somebody else has written.
        """


def in_hand_s(seconds: float) -> float:
    """For how long a message may be with one process, so that its order survives a change.

    The last request of a leader for a message may be answered half of this after it stopped; a
    quarter of the lease may have passed by then since its last renewal. So the message is free
    again when the lease ends, and goes to the next leader before all that follow it.
    """
    return seconds / 2


class Lease:
    """Run `run` in a task; what only a leader does goes through `while_leading` or asks `epoch`."""

    def __init__(
        self, cell: LeaseCell, *, name: str, holder: str, seconds: float, clock: Clock
    ) -> None:
        self._cell = cell
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._clock = clock
        self._term: int | None = None
        self._revision = 0
        self._trusted_until_s = 0.0
        self._seen = (0, 0.0)
        """The revision that was read last, and when it was read first."""
        self._leads, self._follows = asyncio.Event(), asyncio.Event()

    @property
    def epoch(self) -> int | None:
        """The number of this process's term; None: it does not lead, or cannot be sure to.

        To be asked right before what only a leader may do, with no await in between.
        """
        return self._term if self.trusted_for_s > 0 else None

    @property
    def trusted_for_s(self) -> float:
        """For how long nobody else can lead, if this is not renewed; 0: does not lead."""
        if self._term is None:
            return 0.0
        return max(0.0, self._trusted_until_s - self._clock.monotonic())

    async def run(self) -> None:
        """Acquire and renew until cancelled, then give it back."""
        gauge = metrics.LEADER.labels(self._name)
        gauge.set_function(lambda: self.epoch is not None)
        try:
            while True:
                renewed = await self._step() and self._term is not None
                pause_s = self._seconds / RENEWALS
                await self._clock.sleep(pause_s if renewed else pause_s / 2)
        finally:
            await self._give_back()

    async def while_leading(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work()` from every time this process leads until it no longer does; never ends.

        An error of the work goes on to the caller.
        """
        while True:
            await self._leads.wait()
            async with asyncio.TaskGroup() as group:
                working = group.create_task(work())
                await self._follows.wait()
                working.cancel()

    async def _step(self) -> bool:
        """Whether anybody answered."""
        try:
            async with asyncio.timeout(self._seconds / RENEWALS):
                await (self._follow() if self._term is None else self._renew())
        except (DependencyUnavailable, TimeoutError) as away:
            self._seen = (0, 0.0)  # our own absence is never taken for the leader's
            if self._term is not None:
                _log.warning("lease.not_renewed", lease=self._name, reason=str(away) or repr(away))
            return False
        return True

    async def _follow(self) -> None:
        found = await self._cell.read()
        if found is None:
            return await self._acquire(after=0)
        now_s = self._clock.monotonic()
        if found.revision != self._seen[0]:
            self._seen = (found.revision, now_s)
        abandoned = now_s - self._seen[1] >= found.seconds
        if abandoned or found.holder in (NOBODY, self._holder):
            await self._acquire(after=found.revision)

    async def _acquire(self, *, after: int) -> None:
        began_s = self._clock.monotonic()
        try:
            self._revision = await self._cell.write(self._holder, self._seconds, after=after)
        except Conflict:
            return  # somebody else was quicker
        self._term = self._revision
        self._trusted_until_s = began_s + TRUSTED_PART * self._seconds
        self._follows.clear()
        self._leads.set()
        _log.info("lease.acquired", lease=self._name, epoch=self._term)

    async def _renew(self) -> None:
        while True:
            began_s = self._clock.monotonic()
            try:
                self._revision = await self._cell.write(
                    self._holder, self._seconds, after=self._revision
                )
            except Conflict:
                found = await self._cell.read()
                if found is None or found.holder != self._holder:
                    return self._lose("another has acquired it" if found else "it was deleted")
                self._revision = found.revision  # our own renewal, whose answer was lost
            else:
                self._trusted_until_s = began_s + TRUSTED_PART * self._seconds
                return None

    def _lose(self, reason: str) -> None:
        _log.warning("lease.lost", lease=self._name, epoch=self._term, reason=reason)
        self._end_term()

    def _end_term(self) -> None:
        self._term = None
        self._leads.clear()
        self._follows.set()

    async def _give_back(self) -> None:
        """Let a successor begin at once; if NATS is away, it has to wait."""
        if self._term is None:
            return
        self._end_term()
        try:
            async with asyncio.timeout(self._seconds / RENEWALS):
                await self._cell.write(NOBODY, self._seconds, after=self._revision)
        except (Conflict, DependencyUnavailable, TimeoutError) as error:
            _log.info("lease.not_given_back", lease=self._name, reason=str(error) or repr(error))
        else:
            _log.info("lease.given_back", lease=self._name)
