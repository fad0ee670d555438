"""Reads the store as a whole: at the start, after a gap in the messages, and now and then.

The messages alone would do if none were ever lost.
"""

import asyncio
from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.store import Store
from modelium.orchestrator.owner import Owner, Resynced

PERIOD_S: Final = 30.0
RETRY_S: Final = 1.0

log = structlog.get_logger()


class Resync:
    """Run `run` and `remind` in a task each."""

    def __init__(self, *, store: Store, owner: Owner, clock: Clock) -> None:
        self._store = store
        self._owner = owner
        self._clock = clock
        self._due = asyncio.Event()

    async def soon(self) -> None:
        """Messages may have been missed."""
        self._due.set()

    async def remind(self) -> None:
        """Make it due now and then, until cancelled."""
        while True:
            self._due.set()
            await self._clock.sleep(PERIOD_S)

    async def run(self) -> None:
        """Read whenever it is due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._read()
            except DependencyUnavailable as unavailable:
                log.warning("store.unavailable", reason=str(unavailable))
                self._due.set()
                await self._clock.sleep(RETRY_S)

    async def _read(self) -> None:
        records = await self._store.models.all()
        agents = await self._store.agents.all()
        memory = await self._store.memory.all()
        policies = await self._store.policies.get()
        ids = [agent.agent_id for agent in agents]
        self._owner.post(Resynced(records, ids, memory, policies))
