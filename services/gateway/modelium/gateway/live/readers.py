"""Those who read the log of facts: each costs the bus a consumer, so there are not too many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from modelium.common.event_log import EventLog, EventReader
from modelium.gateway.edge import errors_http as errors

MOST: Final = 100
_RETRY_S: Final = 10.0


class Readers:
    """See the module."""

    def __init__(self, log: EventLog, most: int = MOST) -> None:
        self.log = log
        self._most = most
        self.count = 0

    @asynccontextmanager
    async def reading(self, after: int) -> AsyncIterator[EventReader]:
        """One more.

        Raises:
            ApiError: 429, there are as many as there may be.
        """
        if self.count >= self._most:
            text = f"{self.count} clients follow events here already, which is the most there may."
            raise errors.rate_limited(text, retry_after_s=_RETRY_S)
        self.count += 1
        try:
            async with self.log.reading(after) as reader:
                yield reader
        finally:
            self.count -= 1
