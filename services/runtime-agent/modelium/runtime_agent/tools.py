"""What the lives of all engines of an agent share."""

from collections.abc import Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from modelium.common.clock import Clock
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import Command
from modelium.common.tracing import NO_TRACING, Attributes, Span, Tracing
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.devices import Devices
from modelium.runtime_agent.drain import DrainTracker
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.launcher import EngineRecord, Launcher
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.metrics import LOADS
from modelium.runtime_agent.runtime import Runtime

DRAIN_POLL_S = 0.05


@dataclass(frozen=True)
class Tools:
    """The ports and the shared state of one agent."""

    launcher: Launcher
    runtimes: Mapping[RuntimeKind, Runtime]
    """Those whose engines this agent can run."""
    devices: Devices
    lanes: Lanes
    drains: DrainTracker
    journal: Journal
    meter: MemoryMeter
    clock: Clock
    announce: Announcer
    tracing: Tracing = NO_TRACING

    async def timed(self, work: Coroutine[Any, Any, None], model: str, source: str) -> float:
        """Get a model ready, from `source`; how many seconds it took."""
        began_s = self.clock.monotonic()
        await work
        took_s = self.clock.monotonic() - began_s
        LOADS.labels(model, source).observe(took_s)
        return took_s

    def doing(
        self, order: Command | None, engine: EngineRecord, trace: str | None
    ) -> AbstractContextManager[Span]:
        """What is done for an order is part of the trace that it came in; None: nothing is."""
        if order is None:
            return NO_TRACING.span("")
        name = type(order).__name__.removesuffix("Model").lower()
        about: Attributes = {
            "modelium.model": engine.model,
            "modelium.instance_id": engine.instance_id,
            "modelium.device_ids": tuple(engine.device_ids),
        }
        return self.tracing.span(name, attributes=about, parent=trace)

    def in_use(self, engine: EngineRecord) -> bool:
        """Whether a gateway has requests in flight there."""
        now_s = self.clock.monotonic()
        return self.drains.serves(engine.model, engine.generation, now_s=now_s)

    async def drained(self, engine: EngineRecord, deadline_s: float) -> bool:
        """Wait until no gateway uses the engine; False when the deadline is over first."""
        since_s = self.clock.monotonic()
        while (now_s := self.clock.monotonic()) - since_s < deadline_s:
            if self.drains.is_drained(
                engine.model, engine.generation, since_s=since_s, now_s=now_s
            ):
                return True
            await self.clock.sleep(DRAIN_POLL_S)
        return False
