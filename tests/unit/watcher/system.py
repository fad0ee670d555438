"""A watcher on real folders, with everything else in memory and a clock moved by hand."""

import asyncio
from pathlib import Path

from modelium.common import events as ev
from modelium.common.bus import bind
from modelium.common.descriptor import RuntimeKind
from modelium.common.records import ModelRecord
from modelium.common.settings import ModelDiscovery
from modelium.common.testing import FakeClock, InMemoryBus, a_model_record, in_memory_store
from modelium.watcher.filesystem import ModelFolders
from modelium.watcher.handlers import HANDLERS
from modelium.watcher.in_hand import InHand
from modelium.watcher.watch import Watch

from .analysts import InThisProcess

SETTINGS = ModelDiscovery(scan_interval_seconds=5, settle_seconds=0.5, incomplete_after_seconds=10)


ANALYSED = ["model.discovered", "model.analyzing", "model.analyzed"]


class System:
    """A watcher; what the registry would know is told to the store by hand."""

    def __init__(self, root: Path, clock: FakeClock, *more: Path) -> None:
        self.root = root
        self.roots = (root, *more)
        self.clock = clock
        self.bus = InMemoryBus(clock=clock)
        self.in_hand = InHand(clock)

    async def start(self, *records: ModelRecord) -> "System":
        self.store = await in_memory_store(*records, clock=self.clock)
        self.folders = ModelFolders(
            self.roots,
            supported=SETTINGS.supported_extensions,
            read_by_others=False,
            analyst=InThisProcess(),
        )
        await self.folders.prepare()
        self.watch = Watch(
            folders=self.folders,
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            settings=SETTINGS,
        )
        return self

    async def look_at(self, *times_s: float) -> None:
        """Look at these times, and let the handlers answer."""
        for time_s in times_s:
            await self.clock.advance(time_s - self.clock.monotonic())
            await self.watch.look()
            await self.handled()

    async def handled(self) -> None:
        needs = {"files": self.folders, "store": self.store, "bus": self.bus, "clock": self.clock}
        needs |= {"enabled": frozenset(RuntimeKind), "in_hand": self.in_hand}
        async with asyncio.TaskGroup() as tasks:
            consumer = tasks.create_task(self.bus.consume("watcher", bind(HANDLERS, **needs)))
            await self.bus.settled()
            consumer.cancel()

    async def know(self, event: ev.Message, **changes: object) -> None:
        """Let the store know of a discovery or an analysis."""
        assert isinstance(event, ev.ModelDiscovered | ev.ModelAnalyzed)
        known = {"model": event.model, "path": event.path, "fingerprint": event.fingerprint}
        await self.store.models.save(a_model_record(**(known | changes)))

    @property
    def said(self) -> list[str]:
        return [message.subject for message in self.bus.published]
