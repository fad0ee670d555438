"""What is seen of an engine, and when it is given up."""

import asyncio
from dataclasses import dataclass, field

import pytest

from modelium.common.records import FailureKind
from modelium.common.testing import FakeClock
from modelium.runtime_agent.launcher import Status
from modelium.runtime_agent.runtime import Health
from modelium.runtime_agent.standstill import Standstill
from modelium.runtime_agent.steady import SteadyEngine
from modelium.runtime_agent.watch import USAGE_EVERY, EngineFailed, Watch
from tests.agent_fakes import FakeEngine, FakeRuntime


@dataclass
class _Scene:
    clock: FakeClock
    engine: FakeEngine = field(default_factory=FakeEngine)
    runtime: FakeRuntime = field(default_factory=FakeRuntime)
    resident: list[int] = field(default_factory=list)
    in_use: bool = False

    @property
    def watch(self) -> Watch:
        return Watch(SteadyEngine(self.engine, self.clock), self.runtime, self.clock)

    async def starting(self) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self.watch.until_healthy())
        await self.clock.until_sleeping()
        return task

    async def serving(self) -> asyncio.Task[None]:
        self.runtime.answers = Health.SERVING
        noted = self.watch.while_serving(
            lambda usage: self.resident.append(usage.resident_bytes),
            lambda: self.in_use,
            Standstill(self.runtime.limits.unmoved_s),
        )
        task = asyncio.ensure_future(noted)
        await self.clock.until_sleeping()
        return task


@pytest.fixture
def scene(clock: FakeClock) -> _Scene:
    return _Scene(clock)


async def _failure(task: asyncio.Task[None]) -> EngineFailed:
    with pytest.raises(EngineFailed) as failed:
        await task
    return failed.value


async def test_the_wait_for_health_ends_when_it_serves(scene: _Scene) -> None:
    waiting = await scene.starting()
    scene.runtime.answers = Health.SERVING
    await scene.clock.advance(1)
    await waiting


async def test_an_end_while_loading_is_a_failed_start(scene: _Scene) -> None:
    waiting = await scene.starting()
    scene.engine.now = Status(running=False, exit_code=1)
    scene.engine.log = ("ValueError: bad config",)
    await scene.clock.advance(1)
    failed = await _failure(waiting)
    assert failed.failure.kind is FailureKind.START_FAILED
    assert "ValueError: bad config" in failed.failure.reason
    assert failed.log == ("ValueError: bad config",)


async def test_503_of_an_engine_that_has_served_before_is_a_break_down(scene: _Scene) -> None:
    scene.runtime.answers = Health.DEAD
    with pytest.raises(EngineFailed, match="broke down") as failed:
        await scene.watch.until_healthy(was_ready=True)
    assert failed.value.failure.kind is FailureKind.CRASHED


async def test_a_load_that_stands_still_is_killed(scene: _Scene) -> None:
    waiting = await scene.starting()
    await scene.clock.advance(11)
    failed = await _failure(waiting)
    assert failed.failure.kind is FailureKind.TIMEOUT
    assert scene.engine.killed


async def test_a_load_whose_log_grows_is_not(scene: _Scene) -> None:
    waiting = await scene.starting()
    for step in range(6):
        scene.engine.log_mark = str(step)
        await scene.clock.advance(8)
    assert not waiting.done()
    waiting.cancel()


async def test_an_unanswered_canary_kills_the_engine(scene: _Scene) -> None:
    scene.runtime.refuses = "the test request was answered 500"
    with pytest.raises(EngineFailed, match="answered 500"):
        await scene.watch.prove()
    assert scene.engine.killed


async def test_503_while_serving_is_a_crash_and_the_engine_is_killed(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.runtime.answers = Health.DEAD
    await scene.clock.advance(1)
    failed = await _failure(serving)
    assert failed.failure.kind is FailureKind.CRASHED
    assert scene.engine.killed


async def test_exit_code_0_while_serving_is_a_crash(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.engine.now = Status(running=False, exit_code=0)
    await scene.clock.advance(1)
    assert (await _failure(serving)).failure.kind is FailureKind.CRASHED


async def test_short_silence_is_forgiven(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.runtime.answers = Health.SILENT
    await scene.clock.advance(20)
    scene.runtime.answers = Health.SERVING
    await scene.clock.advance(20)
    scene.runtime.answers = Health.SILENT
    await scene.clock.advance(20)
    assert not serving.done()
    serving.cancel()


async def test_long_silence_is_not(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.runtime.answers = Health.SILENT
    await scene.clock.advance(31)
    failed = await _failure(serving)
    assert failed.failure.kind is FailureKind.TIMEOUT
    assert scene.engine.killed


async def test_a_launcher_that_does_not_answer_says_nothing_about_the_engine(
    scene: _Scene,
) -> None:
    serving = await scene.serving()
    scene.engine.away = True
    await scene.clock.advance(USAGE_EVERY * 2)
    assert not serving.done()
    serving.cancel()


async def test_memory_is_measured_now_and_then(scene: _Scene) -> None:
    serving = await scene.serving()
    await scene.clock.advance(USAGE_EVERY * 2)
    assert scene.resident == [77, 77]
    serving.cancel()


async def test_an_engine_that_hangs_behind_a_health_check_of_200_is_killed(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.in_use = True
    scene.runtime.refuses = "no answer within 15 s"
    await scene.clock.advance(20)
    assert not serving.done()
    await scene.clock.advance(10)
    failed = await _failure(serving)
    assert failed.failure.kind is FailureKind.TIMEOUT
    assert "has not got on with its requests for 30 s" in failed.failure.reason
    assert "no answer within 15 s" in failed.failure.reason
    assert scene.runtime.asked_within_s == 15.0
    assert scene.engine.killed


async def test_a_request_that_its_client_reads_slowly_is_no_hang(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.in_use = True
    await scene.clock.advance(300)
    assert not serving.done()
    serving.cancel()


async def test_an_idle_engine_is_not_asked_to_prove_itself(scene: _Scene) -> None:
    serving = await scene.serving()
    scene.runtime.refuses = "nobody should have asked"
    await scene.clock.advance(300)
    assert not serving.done()
    serving.cancel()
