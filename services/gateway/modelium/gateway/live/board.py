"""Everything that is shown live, made anew once a second for as long as somebody looks.

One for all who look: what each of them may see, and has not seen yet, is `changes.py`'s.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from modelium.common.clock import Clock
from modelium.common.events import AgentHeartbeat, GatewayStats, MetricsTick
from modelium.common.records import ModelRecord, ModelState
from modelium.common.wishes import is_pinned
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.live.devices import Devices
from modelium.gateway.live.documents import LiveAdvisor, LiveDevice, LiveModel
from modelium.gateway.live.figures import AllFigures, Figures
from modelium.gateway.live.rows import (
    ModelNow,
    device_key,
    live_device,
    live_model,
    model_key,
)
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import WaitingRoom

PERIOD_S: Final = 1.0
_HEARD_S: Final = 2.0
"""Gateways speak at their start, and once a second."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything at one moment; a row that has not changed is the object that it was before."""

    time: datetime
    models: Mapping[str, LiveModel]
    figures: Mapping[str, Figures]
    devices: Mapping[str, LiveDevice]
    advisor: LiveAdvisor | None


class Board:
    """See the module; `pinned` are the names in `always_loaded`."""

    def __init__(
        self,
        *,
        gateway_id: str,
        table: RouteTable,
        room: WaitingRoom,
        eta: Eta,
        stats: Stats,
        clock: Clock,
        pinned: Collection[str],
    ) -> None:
        self._table = table
        self._room = room
        self._eta = eta
        self._stats = stats
        self._clock = clock
        self._pinned = pinned
        self._figures = AllFigures(gateway_id)
        self._devices = Devices()
        self._can_sleep: frozenset[str] = frozenset()
        self._load_began: dict[str, tuple[int, datetime]] = {}
        self._models: dict[str, tuple[object, LiveModel]] = {}
        self._device_rows: dict[str, tuple[object, LiveDevice]] = {}
        self.advisor: LiveAdvisor | None = None
        self._began_s = clock.monotonic()
        self.lookers = 0
        self._looked_at = asyncio.Event()
        self._renewed = asyncio.Event()
        self.view = View(time=clock.now(), models={}, figures={}, devices={}, advisor=None)

    def heard_figures(self, stats: GatewayStats) -> None:
        """A gateway, perhaps this one, has said what it does."""
        self._figures.heard(stats, self._clock.monotonic())
        self._figures.expire(self._clock.monotonic())

    @property
    def gateways(self) -> int:
        """How many gateways there are, this one included."""
        return self._figures.gateways

    @property
    def has_heard_all(self) -> bool:
        """Whether every gateway has had the time to say that it is there."""
        return self._clock.monotonic() - self._began_s > _HEARD_S

    def heard_devices(self, beat: AgentHeartbeat) -> None:
        """An agent has said what it has."""
        self._devices.heard(beat, self._clock.monotonic())

    def heard_tick(self, tick: MetricsTick) -> None:
        """The orchestrator has said which engines can sleep."""
        self._can_sleep = frozenset(figures.model for figures in tick.models if figures.can_sleep)

    @contextmanager
    def looked_at(self) -> Iterator[View]:
        """Have the view renewed every second meanwhile; begins with one of now."""
        self.lookers += 1
        self._looked_at.set()
        try:
            self._renew()
            yield self.view
        finally:
            self.lookers -= 1
            if not self.lookers:
                self._looked_at.clear()

    async def next(self) -> View:
        """The next view, within a second; for those who look."""
        await self._renewed.wait()
        return self.view

    async def run(self) -> None:
        """Renew it while somebody looks, until cancelled."""
        while True:
            await self._looked_at.wait()
            await self._clock.sleep(PERIOD_S)
            self._renew()
            self._renewed.set()
            self._renewed = asyncio.Event()

    def _renew(self) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        own = {f.model: f for f in self._stats.snapshot(self._table, self._room, now_s)}
        figures: dict[str, Figures] = {}
        models: dict[str, tuple[object, LiveModel]] = {}
        for record in self._table.records():
            name = record.model
            figures[name] = self._figures.of(name, own.get(name), now_s)
            models[name] = self._model(record, figures[name], now, now_s)
        self._models = models
        self._load_began = {n: began for n, began in self._load_began.items() if n in models}
        self._device_rows = dict(self._all_devices(now_s))
        self.view = View(
            time=now,
            models={name: row for name, (_, row) in models.items()},
            figures=figures,
            devices={name: row for name, (_, row) in self._device_rows.items()},
            advisor=self.advisor,
        )

    def _model(
        self, record: ModelRecord, figures: Figures, now: datetime, now_s: float
    ) -> tuple[object, LiveModel]:
        name, loads = record.model, record.state is ModelState.LOADING
        row = ModelNow(
            record=record,
            figures=figures,
            eta_s=self._eta.of(name),
            pinned=name in self._pinned or is_pinned(record),
            can_sleep=name in self._can_sleep,
            load_started_at=self._load_started_at(record, now, now_s) if loads else None,
            expected_load_s=self._table.expected_load_s(record) if loads else None,
        )
        key, known = model_key(row), self._models.get(name)
        return (key, live_model(row)) if known is None or known[0] != key else known

    def _load_started_at(self, record: ModelRecord, now: datetime, now_s: float) -> datetime:
        known = self._load_began.get(record.model)
        if known is None or known[0] != record.generation:
            since = now - timedelta(seconds=self._table.for_s(record.model, now_s))
            known = record.generation, min(since, record.updated_at or since)
            self._load_began[record.model] = known
        return known[1]

    def _all_devices(self, now_s: float) -> Iterator[tuple[str, tuple[object, LiveDevice]]]:
        for beat in self._devices.alive(now_s):
            for device in beat.devices:
                key, known = device_key(device, beat), self._device_rows.get(device.device_id)
                if known is None or known[0] != key:
                    known = key, live_device(device, beat)
                yield device.device_id, known
