"""What the next agent does with engines that an earlier one has put to sleep."""

from pathlib import Path

import pytest

from modelium.common.events import (
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloading,
)
from modelium.common.records import FailureKind
from tests.agent_kit import a_sleep, a_wake
from tests.integration.agents import an_agent
from tests.integration.sleepers import (
    HELD,
    STUB,
    a_sleepy_agent,
    load_on_gpu,
    put_to_sleep,
    trapped,
)


@pytest.mark.parametrize("level", [1, 2])
async def test_the_next_agent_leaves_a_sleeping_engine_asleep_and_can_wake_it(
    tmp_path: Path, model: Path, level: int
) -> None:
    async with an_agent(tmp_path, *STUB, on_gpu=True, sleep_mode=True) as first:
        slept = await put_to_sleep(first, model, level=level)
    async with a_sleepy_agent(tmp_path) as second:
        again = await second.heard(RuntimeSleeping)
        assert (again.sleep_level, again.resident_bytes) == (level, slept.resident_bytes)
        await second.send(a_wake())
        awake = await second.heard(RuntimeLoaded)
        assert (awake.resident_bytes, awake.load_s) == (HELD, slept.load_s)


async def test_the_next_agent_still_knows_what_a_woken_engine_has_to_answer(
    tmp_path: Path, model: Path
) -> None:
    trap = ("--sleep-trap", "wrong-after-wake")
    async with an_agent(tmp_path, *STUB, *trap, on_gpu=True, sleep_mode=True) as first:
        await put_to_sleep(first, model)
    async with trapped(tmp_path, "wrong-after-wake") as second:
        await second.heard(RuntimeSleeping)
        await second.send(a_wake())
        assert (await second.heard(RuntimeFailed)).kind is FailureKind.SLEEP_FAILED


async def test_the_next_agent_ends_an_engine_that_is_neither_awake_nor_asleep(
    tmp_path: Path, model: Path
) -> None:
    trap = ("--sleep-trap", "wake-hangs")
    async with an_agent(tmp_path, *STUB, *trap, on_gpu=True, sleep_mode=True) as first:
        await put_to_sleep(first, model)
        await first.send(a_wake())
        await first.heard(RuntimeLoading, count=2)
    async with a_sleepy_agent(tmp_path) as second:
        failed = await second.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CANCELLED
        assert "agent was restarted" in failed.reason
        assert second.processes() == []


async def test_the_next_agent_goes_on_with_an_engine_that_was_only_drained(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path, *STUB, on_gpu=True, sleep_mode=True) as first:
        await load_on_gpu(first, model)
        first.drains.missed_some(first.tools.clock.monotonic())
        await first.send(a_sleep(drain_s=600))
        await first.heard(RuntimeUnloading)
    async with a_sleepy_agent(tmp_path) as second:
        assert (await second.heard(RuntimeLoaded)).resident_bytes == HELD


async def test_an_engine_can_still_be_woken_when_none_is_to_sleep_any_more(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path, *STUB, on_gpu=True, sleep_mode=True) as first:
        await put_to_sleep(first, model)
    async with a_sleepy_agent(tmp_path, sleep_mode=False) as second:
        await second.heard(RuntimeSleeping)
        await second.send(a_wake())
        assert (await second.heard(RuntimeLoaded)).resident_bytes == HELD
