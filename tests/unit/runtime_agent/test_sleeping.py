"""When an engine counts as asleep, and as awake again."""

from dataclasses import dataclass, field

import pytest

from modelium.common.records import FailureKind
from modelium.common.testing import FakeClock
from modelium.runtime_agent.launcher import EngineRecord, Status
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.runtime import CannotSleep, Health, NotServing
from modelium.runtime_agent.sleeping import fall_asleep, must_free, wake_up, while_asleep
from modelium.runtime_agent.watch import EngineFailed, Watch
from tests.agent_fakes import FakeDevices, FakeEngine, FakeRuntime
from tests.agent_kit import a_record


def _record(weight_bytes: int, kv_cache_bytes: int) -> EngineRecord:
    sizes = {"weight_bytes": weight_bytes, "kv_cache_bytes": kv_cache_bytes}
    return a_record().model_copy(update=sizes)


@pytest.mark.parametrize(
    ("weights", "cache", "held", "least"),
    [
        (600, 200, 1000, 400),  # half of what it lets go
        (100, 100, 1000, 100),  # of a small model, less than its context and graphs
        (0, 200, 1000, 500),  # its weights are not known: half of all
        (600, 200, 0, 400),  # what it holds is not known
        (600, 200, 700, 350),  # never more than it held
        (0, 0, 0, 0),
    ],
)
def test_what_sleep_has_to_give_back(weights: int, cache: int, held: int, least: int) -> None:
    assert must_free(_record(weights, cache), held) == least


@dataclass
class _Runtime(FakeRuntime):
    """Does as it is told, unless the test says otherwise."""

    wrong: NotServing | None = None
    told: list[tuple[str, int]] = field(default_factory=list)

    async def sleep(self, endpoint: str, level: int) -> None:
        await self._obey("sleep", level)

    async def wake(self, endpoint: str, level: int) -> None:
        await self._obey("wake", level)

    async def _obey(self, order: str, level: int) -> None:
        self.told.append((order, level))
        if self.wrong is not None:
            raise self.wrong


@dataclass
class _Scene:
    clock: FakeClock
    engine: FakeEngine = field(default_factory=FakeEngine)
    runtime: _Runtime = field(default_factory=_Runtime)

    @property
    def watch(self) -> Watch:
        return Watch(self.engine, self.runtime, self.clock)

    async def fall_asleep(self, *, level: int = 1, idle: bool = True) -> int:
        """On a device of whose memory nothing is measured."""
        meter = MemoryMeter(FakeDevices(), self.clock, 5.0)
        return await fall_asleep(self.watch, meter, level=level, held_bytes=100, idle=idle)


@pytest.fixture
def scene(clock: FakeClock) -> _Scene:
    return _Scene(clock)


async def test_an_engine_is_put_to_sleep_and_woken_at_the_level_that_was_wanted(
    scene: _Scene,
) -> None:
    await scene.fall_asleep(level=2)
    proof = await wake_up(scene.watch, level=2, answer="1 2 3")
    assert scene.runtime.told == [("sleep", 2), ("wake", 2)]
    assert proof.answer == "1 2 3"


@pytest.mark.parametrize(
    ("wrong", "idle", "kind"),
    [
        (NotServing("no answer within 5 s"), True, FailureKind.SLEEP_FAILED),
        (NotServing("no answer within 5 s"), False, FailureKind.CANCELLED),  # it was busy
        (CannotSleep("it knows no /sleep"), True, FailureKind.CANCELLED),
    ],
)
async def test_only_an_idle_engine_that_could_sleep_is_blamed(
    scene: _Scene, wrong: NotServing, idle: bool, kind: FailureKind
) -> None:
    scene.runtime.wrong = wrong
    with pytest.raises(EngineFailed, match=wrong.reason) as failed:
        await scene.fall_asleep(idle=idle)
    assert failed.value.failure.kind is kind
    assert failed.value.log == scene.engine.log


async def test_other_tokens_than_before_are_a_failure(scene: _Scene) -> None:
    with pytest.raises(EngineFailed, match="otherwise than before") as failed:
        await wake_up(scene.watch, level=1, answer="1 2 4")
    assert failed.value.failure.kind is FailureKind.SLEEP_FAILED


async def test_tokens_that_were_never_seen_are_not_missed(scene: _Scene) -> None:
    assert (await wake_up(scene.watch, level=1, answer="")).answer == "1 2 3"


async def test_an_engine_that_had_ended_before_it_was_to_wake_has_crashed(scene: _Scene) -> None:
    scene.engine.now = Status(running=False, exit_code=0)
    with pytest.raises(EngineFailed) as failed:
        await wake_up(scene.watch, level=1, answer="1 2 3")
    assert failed.value.failure.kind is FailureKind.CRASHED
    assert scene.runtime.told == []


@pytest.mark.parametrize(
    ("oom_killed", "kind"), [(False, FailureKind.CRASHED), (True, FailureKind.SLEEP_FAILED)]
)
async def test_an_engine_that_ends_asleep_for_want_of_host_memory_is_not_to_sleep_again(
    scene: _Scene, oom_killed: bool, kind: FailureKind
) -> None:
    scene.runtime.answers = Health.SERVING
    scene.engine.now = Status(running=False, exit_code=137, oom_killed=oom_killed)
    with pytest.raises(EngineFailed) as failed:
        await while_asleep(scene.watch)
    assert failed.value.failure.kind is kind
