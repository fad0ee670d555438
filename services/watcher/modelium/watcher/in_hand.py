"""Which discoveries this process analyses at the moment: of each path one, the newest.

Several are analysed beside each other, as one of a large signed model takes an hour. A message
stays with the bus until its analysis has ended: one that a killed process had in hand is delivered
again. What was announced before the analysis of the same files began is answered by it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from modelium.common.clock import Clock
from modelium.common.errors import RetryLater
from modelium.common.events import ModelDiscovered

_REPEAT_S: Final = 10.0
_REMEMBERED: Final = 10_000
"""Paths whose last analysis is known; what is forgotten is only analysed once more."""


class Superseded(Exception):
    """The analysis for another discovery of the same path answers for this one."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """What an analysis that has ended was of, and when it began, by the monotonic clock."""

    model: str | None
    fingerprint: str | None
    began_s: float

    def answers(self, event: ModelDiscovered, clock: Clock) -> bool:
        """By ages: a wall clock that was set back must not make news look answered."""
        same = (self.model, self.fingerprint) == (event.model, event.fingerprint)
        age_s = (clock.now() - event.occurred_at).total_seconds()
        return same and age_s > clock.monotonic() - self.began_s


class InHand:
    """One for all handlers of a process, which share its event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: dict[str, _Answered] = {}
        self._by_path: dict[str, tuple[ModelDiscovered, asyncio.Timeout]] = {}

    @asynccontextmanager
    async def newest(self, event: ModelDiscovered, *, said_again: bool) -> AsyncIterator[None]:
        """Do the block for this discovery, unless or until another one of its path does.

        `said_again`: `watch.py` would announce it anew if it were not answered.

        Raises:
            Superseded: before the block if the same or newer files are in hand already, or were
                analysed since they were announced; during it when newer ones come, which cancels
                the block.
            RetryLater: this very message is in hand: it was delivered again meanwhile, and has to
                stay with the bus until then.
        """
        self._take_over(event)
        answered = self._answered.get(event.path)
        if said_again and answered and answered.answers(event, self._clock):
            raise Superseded
        began_s = self._clock.monotonic()
        async with self._until_newer(event):
            yield
        self._remember(event.path, _Answered(event.model, event.fingerprint, began_s))

    def _remember(self, path: str, answered: _Answered) -> None:
        self._answered.pop(path, None)
        self._answered[path] = answered
        if len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]

    def _take_over(self, event: ModelDiscovered) -> None:
        if event.path not in self._by_path:
            return
        other, until_newer = self._by_path[event.path]
        if other.message_id == event.message_id:
            raise RetryLater(f"{event.path} is being analysed", delay_s=_REPEAT_S)
        same = (other.model, other.fingerprint) == (event.model, event.fingerprint)
        if same or other.occurred_at > event.occurred_at:
            raise Superseded
        until_newer.reschedule(0.0)

    @asynccontextmanager
    async def _until_newer(self, event: ModelDiscovered) -> AsyncIterator[None]:
        until_newer = asyncio.timeout(None)
        mine = (event, until_newer)
        try:
            async with until_newer:
                self._by_path[event.path] = mine
                yield
        except TimeoutError:
            if until_newer.expired():
                raise Superseded from None
            raise
        finally:
            if self._by_path.get(event.path) is mine:
                del self._by_path[event.path]
