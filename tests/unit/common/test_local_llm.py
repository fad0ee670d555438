"""A language model in a child process: asked, given up, killed, hung, broken."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from modelium.common.local_llm import FIRST_RETRY_S, PATIENCE_S, LlmUnavailable, LocalLlm
from modelium.common.testing import FakeClock
from modelium.common.testing.clock import yield_to_others
from tests.stubs.llm import interpreter

QUESTION = {"system": "s", "user": "u", "schema": {}, "most_tokens": 9}
WITHIN_S = 5.0


@asynccontextmanager
async def running(
    folder: Path, behaviour: str, clock: FakeClock | None = None
) -> AsyncIterator[LocalLlm]:
    llm = LocalLlm(
        python=interpreter(folder),
        model=behaviour,
        device="cpu",
        within_s=WITHIN_S,
        clock=clock or FakeClock(),
    )
    keeping = asyncio.create_task(llm.run())
    try:
        yield llm
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def until_unavailable(llm: LocalLlm) -> str:
    with pytest.raises(LlmUnavailable) as gone:
        while True:
            await llm.loaded()
            await yield_to_others(1)
    return gone.value.reason


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(probe: Callable[[], object]) -> None:
    while not probe():
        await yield_to_others(1)


def end_of_question(llm: LocalLlm) -> None:
    """A slow one answers now."""
    assert llm._child is not None
    assert llm._child.stdin is not None
    llm._child.stdin.write(b"\n")


async def test_it_answers_one_question_after_the_other(tmp_path: Path) -> None:
    async with running(tmp_path, "good") as llm:
        assert (await llm.loaded()).parameters == 1
        said = await asyncio.gather(*(llm.ask(QUESTION | {"user": str(n)}) for n in range(5)))
        pid = llm.pid
    assert [each.text for each in said] == ["0", "1", "2", "3", "4"]
    assert pid is not None
    assert not is_alive(pid)


async def test_until_it_is_loaded_nobody_waits_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, "good") as llm:
        with pytest.raises(LlmUnavailable, match="is being loaded"):
            await llm.ask(QUESTION)


async def test_a_model_that_cannot_be_loaded_says_why_and_is_tried_again(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, "broken", clock) as llm:
        assert "no folder /nowhere; it is started again in 10 s" in await until_unavailable(llm)
        with pytest.raises(LlmUnavailable, match="/nowhere"):
            await llm.ask(QUESTION)
        await clock.until_sleeping()
        await clock.advance(FIRST_RETRY_S)
        await until(lambda: llm.failures == 2)
        assert "again in 20 s" in llm.why


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [("dies", r"has ended"), ("babbles", "has ended"), ("counts", "has ended")],
)
async def test_a_process_that_goes_wrong_is_no_answer(
    tmp_path: Path, behaviour: str, why: str
) -> None:
    async with running(tmp_path, behaviour) as llm:
        await llm.loaded()
        with pytest.raises(LlmUnavailable, match=why):
            await llm.ask(QUESTION)
        assert "started again" in await until_unavailable(llm)


async def test_after_kill_9_it_is_started_again(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running(tmp_path, "good", clock) as llm:
        await llm.loaded()
        killed = llm.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert "signal 9" in await until_unavailable(llm)
        await clock.advance(FIRST_RETRY_S)
        await until(lambda: llm.about)
        assert llm.pid != killed
        assert (await llm.ask(QUESTION)).text == "u"
        assert llm.failures == 0


async def test_one_that_hangs_is_killed_and_whoever_asked_need_not_wait_for_that(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with running(tmp_path, "hangs", clock) as llm:
        await llm.loaded()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(llm.ask(QUESTION), 0.01)
        with pytest.raises(LlmUnavailable, match="not done with the question before"):
            await llm.ask(QUESTION)
        hung = llm.pid
        assert hung is not None
        await clock.advance(WITHIN_S + PATIENCE_S + 2)
        assert "it hung" in await until_unavailable(llm)
        assert not is_alive(hung)


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    async with running(tmp_path, "slow") as llm:
        await llm.loaded()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(llm.ask(QUESTION | {"user": "late"}), 0.01)
        end_of_question(llm)
        await until(lambda: llm._asked is None)
        asking = asyncio.create_task(llm.ask(QUESTION | {"user": "now"}))
        await until(lambda: llm._asked)
        end_of_question(llm)
        assert (await asking).text == "now"


async def test_without_an_interpreter_it_says_what_to_set(tmp_path: Path) -> None:
    llm = LocalLlm(python=None, model="m", device="cpu", within_s=1, clock=FakeClock())
    await llm.run()
    with pytest.raises(LlmUnavailable, match=r"modelium_brain\.python"):
        await llm.loaded()
    missing = LocalLlm(
        python=tmp_path / "no", model="m", device="cpu", within_s=1, clock=FakeClock()
    )
    keeping = asyncio.create_task(missing.run())
    assert "cannot be run (No such file" in await until_unavailable(missing)
    keeping.cancel()


STARTS_ONE = """
import asyncio, sys
from pathlib import Path
from modelium.common import logs
from modelium.common.clock import SystemClock
from modelium.common.local_llm import LocalLlm

logs.for_a_command()

async def main():
    llm = LocalLlm(python=Path(sys.argv[1]), model="good", device="cpu", within_s=5,
                   clock=SystemClock())
    keeping = asyncio.create_task(llm.run())
    await llm.loaded()
    print(llm.pid, flush=True)
    await keeping

asyncio.run(main())
"""


def test_when_whoever_started_it_is_killed_it_ends(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(interpreter(tmp_path))], stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    child = psutil.Process(int(starter.stdout.readline().split()[-1]))
    starter.kill()
    starter.wait()
    starter.stdout.close()
    gone, alive = psutil.wait_procs([child], timeout=60)
    assert (len(gone), alive) == (1, [])
