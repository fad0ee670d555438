"""Counts what is used, and writes it to the store once a second.

A batch is written with a number, and the same batch under the same number until the store has
answered: so a lost answer counts nothing twice, and while the store is away everything is kept.
"""

from datetime import date
from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.store import UsageLog
from modelium.common.usage import Figures, Usage
from modelium.gateway.access.principal import Principal

FLUSH_S: Final = 1.0
BATCH_ROWS: Final = 500
_Key = tuple[str, str, str]

log = structlog.get_logger()


class UsageMeter:
    """What this gateway counted and has not written yet."""

    def __init__(self, *, gateway_id: str, usage: UsageLog, clock: Clock) -> None:
        self._gateway_id = gateway_id
        self._usage = usage
        self._clock = clock
        self._counting: dict[_Key, list[float]] = {}
        self._counted: dict[tuple[date, _Key], Figures] = {}
        self._batch: list[Usage] = []
        self._sequence = 0
        self._behind = False

    def add(
        self,
        principal: Principal,
        model: str,
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        device_s: float = 0.0,
        load_s: float = 0.0,
        requests: int = 1,
    ) -> None:
        """Count it; cheap enough for every request."""
        key = (principal.organization, principal.key_id, model)
        counts = self._counting.get(key)
        if counts is None:
            counts = self._counting[key] = [0, 0, 0, 0.0, 0.0]
        counts[0] += requests
        counts[1] += prompt_tokens
        counts[2] += completion_tokens
        counts[3] += device_s
        counts[4] += load_s

    async def run(self) -> None:
        """Write once a second, until cancelled."""
        while True:
            await self._clock.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> bool:
        """Write all there is now; False when the store is away, and everything is kept."""
        self._cut()
        try:
            while self._batch or self._counted:
                await self._write()
        except DependencyUnavailable as error:
            if not self._behind:
                log.warning("gateway.usage_waits", reason=str(error))
            self._behind = True
            return False
        if self._behind:
            log.info("gateway.usage_written")
        self._behind = False
        return True

    def _cut(self) -> None:
        """What was counted since the last time belongs to today."""
        today = self._clock.now().date()
        for key, (requests, prompt, completion, *seconds) in self._counting.items():
            figures = Figures(int(requests), int(prompt), int(completion), *seconds)
            before = self._counted.get((today, key), Figures())
            self._counted[today, key] = before + figures
        self._counting.clear()

    async def _write(self) -> None:
        if not self._batch:
            self._sequence += 1
            for day, key in list(self._counted)[:BATCH_ROWS]:
                organization, key_id, model = key
                figures = self._counted.pop((day, key))
                self._batch.append(Usage(organization, day, key_id, model, figures))
        await self._usage.add(self._gateway_id, self._sequence, self._batch)
        self._batch = []
