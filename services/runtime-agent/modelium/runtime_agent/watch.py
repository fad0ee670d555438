"""Watches one engine: until it is ready, and as long as it lives.

Both end by raising `EngineFailed` with the reason for people. Ready is health 200 *and* an answered
test request. Alive is health 200, and progress while it has requests. An engine that nobody asked
to end has failed, whatever its exit code: vLLM exits 0 when its core was killed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import NoReturn

from modelium.common.clock import Clock
from modelium.common.errors import ModeliumError
from modelium.common.records import DeviceKind, FailureKind
from modelium.runtime_agent.failures import Failure, classify, with_last_words
from modelium.runtime_agent.launcher import Engine, Usage
from modelium.runtime_agent.progress import LoadProgress, Signs
from modelium.runtime_agent.runtime import Health, NotServing, Proof, Runtime
from modelium.runtime_agent.standstill import Standstill

STARTING_POLL_S = 0.25
SERVING_POLL_S = 1.0
USAGE_EVERY = 10
"""Adding up the memory of processes costs the kernel some work."""
LOG_LINES = 400


class EngineFailed(ModeliumError):
    """An engine did not start, or ended without being asked to."""

    def __init__(self, failure: Failure, log: tuple[str, ...] = ()) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.log = log


@dataclass(frozen=True)
class Watch:
    """The engine, and what is needed to look after it."""

    engine: Engine
    runtime: Runtime
    clock: Clock

    async def until_healthy(self, *, was_ready: bool = False) -> None:
        """Wait for health 200, as long as the load shows progress; `was_ready` if it has served."""
        progress = LoadProgress(
            started_s=self.clock.monotonic(),
            stall_timeout_s=self.runtime.limits.stall_timeout_s,
            load_timeout_s=self.runtime.limits.load_timeout_s,
            section=self.runtime.limits.section,
        )
        while await self._health(was_ready=was_ready) is not Health.SERVING:
            usage = await self.engine.usage()
            signs = Signs(usage.log_mark, usage.cpu_s)
            late = progress.overdue(signs, self.clock.monotonic())
            if late is not None:
                await self._give_up(f"The engine did not start: {late}")
            await self.clock.sleep(STARTING_POLL_S)

    async def prove(self, *, was_ready: bool = False) -> Proof:
        """See it answer one test request: health 200 does not mean that the model can run."""
        try:
            return await self.runtime.prove(self.engine.endpoint, self.engine.record)
        except NotServing as broken:
            await self._broken(was_ready=was_ready, symptom=broken.reason)

    async def while_serving(
        self,
        measured: Callable[[Usage], None],
        in_use: Callable[[], bool] | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        """Look every second, for ever; tell now and then what it uses.

        `in_use` says whether gateways have requests there, `standstill` what was seen of it before;
        without them nobody expects progress.
        """
        answered_s = self.clock.monotonic()
        for turn in count(1):
            if turn % USAGE_EVERY == 0:
                usage = await self.engine.usage()
                measured(usage)
                if in_use is not None and standstill is not None:
                    await self._ensure_progress(standstill, usage, in_use=in_use())
            if await self._health(was_ready=True) is Health.SERVING:
                answered_s = self.clock.monotonic()
            elif self.clock.monotonic() - answered_s >= self.runtime.limits.silence_timeout_s:
                await self._give_up(
                    "The engine has not answered its health check for"
                    f" {self.runtime.limits.silence_timeout_s:.0f} s"
                )
            await self.clock.sleep(SERVING_POLL_S)

    async def _ensure_progress(self, standstill: Standstill, usage: Usage, *, in_use: bool) -> None:
        """Prove it once more if it seems to stand still: only who fails then is given up."""
        engine, clock, limits = self.engine, self.clock, self.runtime.limits
        work = await self.runtime.work(engine.endpoint)
        cpu_s = usage.cpu_s if engine.record.device_kind is DeviceKind.CPU else None
        if not standstill.suspects(work, in_use=in_use, cpu_s=cpu_s, now_s=clock.monotonic()):
            return
        try:
            await self.runtime.prove(engine.endpoint, engine.record, within_s=limits.unmoved_s)
        except NotServing as broken:
            await self.ensure_running(was_ready=True)
            await self._give_up(
                "The engine answers its health check, but has not got on with its requests for"
                f" {limits.silence_timeout_s:.0f} s ({broken.reason})"
            )
        standstill.moved(clock.monotonic())

    async def ensure_running(self, *, was_ready: bool) -> None:
        """Raise EngineFailed if it has ended."""
        if not (await self.engine.status()).running:
            await self._broken(was_ready=was_ready)

    async def _health(self, *, was_ready: bool) -> Health:
        await self.ensure_running(was_ready=was_ready)
        health = await self.runtime.health(self.engine.endpoint)
        if health is Health.DEAD:
            await self._broken(was_ready=was_ready, symptom="it reports that it is dead (503)")
        return health

    async def _broken(self, *, was_ready: bool, symptom: str = "") -> NoReturn:
        """Find out why from what it has left behind. An engine that still runs is killed."""
        log = await self.engine.log_tail(LOG_LINES)
        status = await self.engine.status()
        if status.running:
            await self.engine.kill()
        failure = classify(
            log,
            exit_code=status.exit_code,
            oom_killed=status.oom_killed,
            was_ready=was_ready,
            symptom=symptom,
            last_line_says_why=self.runtime.last_line_says_why,
        )
        raise EngineFailed(failure, log)

    async def _give_up(self, reason: str) -> NoReturn:
        log = await self.engine.log_tail(LOG_LINES)
        await self.engine.kill()
        raise EngineFailed(Failure(FailureKind.TIMEOUT, with_last_words(reason, log)), log)
