"""An engine whose launcher may fail to answer now and then, as Docker's service may.

What is not known then says nothing about the engine, and must not end its agent. Only killing has
to succeed, however long it takes: an engine that is taken for dead would still hold its memory.
"""

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.runtime_agent.launcher import Engine, EngineRecord, Status, Usage

RETRY_S = 1.0

_log = structlog.get_logger()


class SteadyEngine:
    """Passes everything on to `engine`; raises nothing because of who runs it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._status = Status(running=True)
        self._usage = Usage("", 0.0, 0)

    @property
    def record(self) -> EngineRecord:
        return self._engine.record

    @property
    def endpoint(self) -> str:
        return self._engine.endpoint

    async def status(self) -> Status:
        """The last one that was seen, while nobody answers."""
        try:
            self._status = await self._engine.status()
        except DependencyUnavailable as away:
            self._note("status", away)
        return self._status

    async def usage(self) -> Usage:
        """The last one that was seen, while nobody answers."""
        try:
            self._usage = await self._engine.usage()
        except DependencyUnavailable as away:
            self._note("usage", away)
        return self._usage

    async def stop(self, grace_s: float) -> None:
        """If it cannot be asked to end, it is killed."""
        try:
            await self._engine.stop(grace_s)
        except DependencyUnavailable as away:
            self._note("stop", away)
            await self.kill()

    async def kill(self) -> None:
        """Tried until it is done."""
        while True:
            try:
                return await self._engine.kill()
            except DependencyUnavailable as away:
                self._note("kill", away)
            await self._clock.sleep(RETRY_S)

    async def log_tail(self, lines: int) -> tuple[str, ...]:
        try:
            return await self._engine.log_tail(lines)
        except DependencyUnavailable as away:
            self._note("log_tail", away)
            return ()

    async def forget(self) -> None:
        """What cannot be removed now is found by the next agent."""
        try:
            await self._engine.forget()
        except DependencyUnavailable as away:
            self._note("forget", away)

    def _note(self, call: str, away: DependencyUnavailable) -> None:
        instance = self.record.instance_id
        _log.warning("engine.unanswered", instance_id=instance, call=call, reason=str(away))
