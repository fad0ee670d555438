"""Publishes `gateway.stats` every second, and at once when an agent may be waiting for it.

An agent that wants to stop an engine waits until every gateway says that it routes nothing there
and that its last request there has ended; so both are said the moment they become true.
"""

import asyncio
from typing import Final

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import GatewayStats
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.room import WaitingRoom

PERIOD_S: Final = 1.0


class Announcer:
    """Says what this gateway does."""

    def __init__(
        self,
        *,
        gateway_id: str,
        table: RouteTable,
        room: WaitingRoom,
        stats: Stats,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._gateway_id = gateway_id
        self._table = table
        self._room = room
        self._stats = stats
        self._bus = bus
        self._clock = clock
        self._due = asyncio.Event()

    def soon(self) -> None:
        """Publish as soon as the loop comes to it."""
        self._due.set()

    def engine_idle(self, model: str, generation: int) -> None:
        """The last request of an engine has ended: say so at once if none will follow."""
        if generation not in self._table.routed_generations(model):
            self.soon()

    async def beat(self) -> None:
        """Make it due every second, until cancelled."""
        while True:
            self.soon()
            await self._clock.sleep(PERIOD_S)

    async def run(self) -> None:
        """Publish whenever it is due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            now_s = self._clock.monotonic()
            figures = self._stats.snapshot(self._table, self._room, now_s)
            await self._bus.publish(GatewayStats(gateway_id=self._gateway_id, models=figures))
