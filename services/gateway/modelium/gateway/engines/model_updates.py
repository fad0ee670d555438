"""Applies what the registry says of models to the table, and lets everybody concerned know.

Also reads all records from the store when messages may have been missed (`run`): then, and never
for a request.
"""

import asyncio
from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.records import ModelRecord
from modelium.common.store import Store
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.gate import Gate
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.holding import Holding

_RETRY_S: Final = 1.0

log = structlog.get_logger()


class ModelUpdates:
    """The only writer of the table."""

    def __init__(
        self,
        *,
        table: RouteTable,
        holding: Holding,
        stats: Stats,
        announcer: Announcer,
        store: Store,
        clock: Clock,
        gate: Gate,
    ) -> None:
        self._table = table
        self._holding = holding
        self._stats = stats
        self._announcer = announcer
        self._store = store
        self._clock = clock
        self._stale = asyncio.Event()
        self._gate = gate

    def apply(self, record: ModelRecord) -> None:
        """A model is as `record` says."""
        if self._table.apply(record, self._clock.monotonic()):
            self._changed(record.model)

    def forget(self, model: str) -> None:
        """A model is gone."""
        if self._table.forget(model):
            self._changed(model)

    def _changed(self, model: str) -> None:
        if self._table.record(model) is None:
            self._stats.forget(model)
        self._holding.changed(model)
        self._announcer.soon()

    async def on_gap(self) -> None:
        """Messages may have been missed: have the store read soon."""
        self._stale.set()

    async def run(self) -> None:
        """Read the store whenever there was a gap, until cancelled."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._read_store()
            except DependencyUnavailable as error:
                log.warning("gateway.store_unavailable", error=str(error))
                self._stale.set()
                await self._clock.sleep(_RETRY_S)

    async def _read_store(self) -> None:
        before = self._table.versions()
        records = await self._store.models.all()
        for model in self._table.replace(records, before, self._clock.monotonic()):
            self._changed(model)
        self._gate.known = True
