"""Publishes what happens to engines, waiting for NATS as long as it takes.

What became of an engine must be known: a fact that is lost would leave the registry wrong. Only
when the agent itself is stopped, engines must end whether or not anybody can be told.
"""

import asyncio

import structlog

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import RuntimeEvent

RETRY_S = 1.0
HURRIED_S = 2.0

_log = structlog.get_logger()


class Announcer:
    """Call it with an event; it returns when the event is stored."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._hurried = False

    def hurry(self) -> None:
        """From now on give up on an event that is not stored within seconds."""
        self._hurried = True

    async def __call__(self, event: RuntimeEvent) -> None:
        while not await self._stored(event):
            if self._hurried:
                _log.warning("event.dropped", subject=event.subject, instance=event.instance_id)
                return
            await self._clock.sleep(RETRY_S)

    async def _stored(self, event: RuntimeEvent) -> bool:
        try:
            async with asyncio.timeout(HURRIED_S if self._hurried else None):
                await self._bus.publish(event)
        except (DependencyUnavailable, TimeoutError):
            return False
        return True
