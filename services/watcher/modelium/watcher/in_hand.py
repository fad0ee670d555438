"""Which discoveries this process analyses at the moment: of each path one, the newest.

Several are analysed beside each other, as one of a large signed model takes an hour. A message
stays with the bus until its analysis has ended: one that a killed process had in hand is delivered
again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from modelium.common.errors import RetryLater
from modelium.common.events import ModelDiscovered

_REPEAT_S: Final = 10.0


class Superseded(Exception):
    """Another discovery of the same path answers for this one."""


class InHand:
    """One for all handlers of a process, which share its event loop."""

    def __init__(self) -> None:
        self._by_path: dict[str, tuple[ModelDiscovered, asyncio.Timeout]] = {}

    @asynccontextmanager
    async def newest(self, event: ModelDiscovered) -> AsyncIterator[None]:
        """Do the block for this discovery, unless or until another one of its path does.

        Raises:
            Superseded: before the block if the same or newer files are in hand already; during it
                when newer ones come, which cancels the block.
            RetryLater: this very message is in hand: it was delivered again meanwhile, and has to
                stay with the bus until then.
        """
        self._take_over(event)
        async with self._until_newer(event):
            yield

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
