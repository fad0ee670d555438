"""Asks for the models that somebody waits for: publishes `model.requested`, not too often.

Asking never holds a request up: what is wanted is noted, one task publishes it. A message that is
lost strands nobody, because what waits is in every `gateway.stats` as well.
"""

import asyncio
import math
from typing import Final

import structlog

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.envelope import TRACEPARENT, within_trace
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import ModelRequested
from modelium.common.origins import BY_CLIENT, BY_GATEWAY

REPEAT_S: Final = 5.0
"""Least seconds between two messages for one model."""
REMIND_S: Final = 60.0
"""The same while it is waited for without a break."""

log = structlog.get_logger()


class Demand:
    """What is wanted and was not asked for yet."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._asked_s: dict[tuple[str, str], float] = {}
        self._due: dict[str, tuple[str, str | None]] = {}
        """By whom it is wanted, and the trace of who was the first."""
        self._any_due = asyncio.Event()

    def want(self, model: str, *, anew: bool = False, by: str = BY_GATEWAY) -> None:
        """Ask for a known model; `anew`: nobody waited for it until now, so do not hold back."""
        now_s = self._clock.monotonic()
        if not anew and now_s - self._asked_s.get((model, by), -math.inf) < REPEAT_S:
            return
        recent = {m: at_s for m, at_s in self._asked_s.items() if now_s - at_s < REMIND_S}
        self._asked_s = {**recent, (model, by): now_s}
        before, trace = self._due.get(model, (by, TRACEPARENT.get()))
        self._due[model] = (before if before == BY_CLIENT else by), trace
        self._any_due.set()

    def remind(self, model: str) -> None:
        """It is waited for still, as `gateway.stats` says each second: ask again now and then."""
        asked_s = self._asked_s.get((model, BY_GATEWAY), -math.inf)
        if self._clock.monotonic() - asked_s >= REMIND_S:
            self.want(model)

    def drop(self, model: str) -> None:
        """Nobody waits any more: do not ask if that was not done yet."""
        if self._due.get(model, ("",))[0] == BY_GATEWAY:
            del self._due[model]

    async def run(self) -> None:
        """Publish what is wanted, until cancelled."""
        while True:
            await self._any_due.wait()
            self._any_due.clear()
            while self._due:
                model, (by, trace) = self._due.popitem()
                with within_trace(trace):
                    await self._ask(model, by)

    async def _ask(self, model: str, by: str) -> None:
        try:
            await self._bus.publish(ModelRequested(model=model, requested_by=by))
        except DependencyUnavailable as error:
            log.warning("gateway.request_not_published", model=model, error=str(error))
