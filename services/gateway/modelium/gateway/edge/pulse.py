"""Gives streams a sign of life until their first byte.

One task for all of them: a request only puts itself in and takes itself out.
"""

import asyncio
from typing import Final

import structlog

from modelium.common.boundary import attempt
from modelium.common.clock import Clock
from modelium.gateway.edge.client import Client

COMMENT_EVERY_S: Final = 5.0
"""Half of what clients and proxies are promised."""
_LOOKS: Final = 10
"""How often they are looked at in that time."""

log = structlog.get_logger()


class Pulse:
    """The streams that wait for their first byte, with the time of the last sign; run `run`."""

    def __init__(self, clock: Clock, every_s: float = COMMENT_EVERY_S) -> None:
        self._clock = clock
        self._every_s = every_s
        self._last_s: dict[Client, float] = {}

    def begin(self, client: Client) -> None:
        """It has begun to wait."""
        self._last_s[client] = self._clock.monotonic()

    def end(self, client: Client) -> None:
        """It has ended; no harm if it never began."""
        self._last_s.pop(client, None)

    async def run(self) -> None:
        """Comment in each of them as often as promised, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._clock.sleep(self._every_s / _LOOKS)
                now_s = self._clock.monotonic()
                for client in self._due(now_s):
                    # A task each: one client that does not read must not hold up the others.
                    group.create_task(_try(client))

    def _due(self, now_s: float) -> list[Client]:
        due = [c for c, at_s in self._last_s.items() if now_s - at_s >= self._every_s]
        for client in due:
            if client.first_byte_s is None:
                self._last_s[client] = now_s
            else:
                del self._last_s[client]
        return [client for client in due if client.first_byte_s is None]


async def _try(client: Client) -> None:
    """What goes wrong with one client must not end the pulse of all."""
    error = await attempt(client.comment())
    if error is not None:
        log.warning("gateway.comment_failed", request_id=client.request_id, error=repr(error))
