"""Reads what was applied from the store: at the start, when told of a change, and now and then.

For services that have no other reason to read the store as a whole. While it is away, what was read
last goes on to count.
"""

from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.policies import PoliciesInForce
from modelium.common.reminder import Reminder
from modelium.common.store import PoliciesStore

PERIOD_S: Final = 30.0

log = structlog.get_logger()


class PolicyReader:
    """Run `run` in a task."""

    def __init__(self, *, store: PoliciesStore, policies: PoliciesInForce, clock: Clock) -> None:
        self._store = store
        self._policies = policies
        self._reminder = Reminder(clock, PERIOD_S)

    def read_soon(self) -> None:
        """They have changed."""
        self._reminder.soon()

    async def run(self) -> None:
        """Read whenever it is due, until cancelled."""
        await self._reminder.run(self._read)

    async def _read(self) -> None:
        try:
            applied = await self._store.get()
        except DependencyUnavailable as unavailable:
            log.warning("policies.unavailable", reason=str(unavailable))
            return
        if changed := self._policies.use(applied):
            log.info("policies.changed", **changed)
