"""Looks after one engine as long as gateways may use it: while it serves, and while it is drained.

An engine that hangs is found in both, and what was seen of it before its drain counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from modelium.runtime_agent.launcher import Usage
from modelium.runtime_agent.standstill import Standstill
from modelium.runtime_agent.tools import Tools
from modelium.runtime_agent.waiting import first_to_end
from modelium.runtime_agent.watch import Watch


@dataclass(frozen=True)
class Tending:
    """From when it serves until it does not any more; `measured` is told now and then."""

    watch: Watch
    tools: Tools
    standstill: Standstill
    measured: Callable[[Usage], None]

    async def while_serving(self) -> None:
        """For ever.

        Raises:
            EngineFailed: it has ended, or hangs.
        """
        await self.watch.while_serving(self.measured, self._in_use, self.standstill)

    async def until_drained(self, deadline_s: float) -> bool:
        """Wait until no gateway uses it; False when the deadline is over first.

        Raises:
            EngineFailed: it has ended, or hangs: nobody is served by it any more.
        """
        if deadline_s <= 0:
            return False
        idle: list[bool] = []

        async def drain() -> None:
            idle.append(await self.tools.drained(self.watch.engine.record, deadline_s))

        await first_to_end(drain(), self.while_serving())
        return idle == [True]

    def _in_use(self) -> bool:
        return self.tools.in_use(self.watch.engine.record)


def tending(watch: Watch, tools: Tools, measured: Callable[[Usage], None]) -> Tending:
    """It begins to serve now."""
    standstill = Standstill(watch.runtime.limits.unmoved_s)
    standstill.moved(tools.clock.monotonic())
    return Tending(watch, tools, standstill, measured)
