"""What every launcher must do, on real processes and on real containers."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from modelium.runtime_agent.launcher import Engine, LaunchFailed
from tests.agent_kit import eventually, is_alive
from tests.contract import launchers as programs
from tests.contract.launchers import Bench, ProcessBench, container_bench

GRACE_S = 20.0


def _needs_docker(folder: Path) -> Bench:
    if "MODELIUM_TEST_BASE_IMAGE" not in os.environ:
        pytest.skip("MODELIUM_TEST_BASE_IMAGE names no image with Python 3")
    return container_bench(folder)


BENCHES = [
    pytest.param(ProcessBench, id="process"),
    pytest.param(_needs_docker, id="docker", marks=pytest.mark.docker),
]


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    make: Callable[[Path], Bench] = request.param
    made = make(tmp_path)
    yield made
    await made.clean_up()


async def _until_started(engine: Engine) -> None:
    async def has_started() -> bool:
        return any(line.startswith("started") for line in await engine.log_tail(10))

    await eventually(has_started, "the program has started")


async def _until_ended(engine: Engine) -> None:
    async def has_ended() -> bool:
        return not (await engine.status()).running

    await eventually(has_ended, "the program has ended")


async def test_what_an_engine_has_written_is_told_from_a_place_on_and_after_it_is_forgotten(
    bench: Bench,
) -> None:
    launcher = await bench.launcher()
    engine = await launcher.start(bench.spec(launcher, programs.EXITS_0))
    instance = engine.record.instance_id
    await _until_ended(engine)
    for _ in range(2):
        log = await launcher.log(instance, "", 10)
        assert log is not None and log.lines == ("started", "last words")
        last = await launcher.log(instance, "", 1)
        assert last is not None and last.lines == ("last words",)
        nothing = await launcher.log(instance, log.mark, 10)
        assert nothing is not None and (nothing.lines, nothing.mark) == ((), log.mark)
        await engine.forget()
    assert await launcher.log("qwen.99", "", 10) is None


async def test_a_started_engine_runs_and_its_log_can_be_read(bench: Bench) -> None:
    engine = await bench.started(programs.SERVES)
    await _until_started(engine)
    assert (await engine.status()).running
    assert engine.endpoint.startswith("http://")


async def test_an_engine_that_is_stopped_ends_in_its_own_way(bench: Bench) -> None:
    engine = await bench.started(programs.ENDS_ON_SIGTERM)
    await _until_started(engine)
    await engine.stop(GRACE_S)
    assert not (await engine.status()).running
    assert (await engine.log_tail(10))[-1] == "ended in order"


async def test_an_engine_that_ignores_sigterm_is_killed_when_its_grace_is_over(
    bench: Bench,
) -> None:
    engine = await bench.started(programs.IGNORES_SIGTERM)
    await _until_started(engine)
    await engine.stop(1.0)
    assert not (await engine.status()).running


async def test_a_killed_engine_is_gone_when_kill_returns(bench: Bench) -> None:
    engine = await bench.started(programs.IGNORES_SIGTERM)
    await engine.kill()
    assert not (await engine.status()).running


async def test_exit_code_0_is_told_as_an_end_with_its_last_words(bench: Bench) -> None:
    engine = await bench.started(programs.EXITS_0)
    await _until_ended(engine)
    status = await engine.status()
    assert (status.running, status.exit_code) == (False, 0)
    assert (await engine.log_tail(10))[-1] == "last words"


async def test_a_running_engine_is_adopted_by_the_next_agent_with_all_that_is_known_of_it(
    bench: Bench,
) -> None:
    engine = await bench.started(programs.SERVES)
    await _until_started(engine)
    (adopted,) = await (await bench.launcher()).adopt()
    assert adopted.record == engine.record
    assert adopted.endpoint == engine.endpoint
    assert (await adopted.status()).running
    assert (await adopted.log_tail(10))[-1] == "started"


async def test_an_adopted_engine_can_be_stopped(bench: Bench) -> None:
    engine = await bench.started(programs.ENDS_ON_SIGTERM)
    await _until_started(engine)
    (adopted,) = await (await bench.launcher()).adopt()
    await adopted.stop(GRACE_S)
    assert not (await adopted.status()).running
    assert (await adopted.log_tail(10))[-1] == "ended in order"


async def test_an_engine_that_ended_while_no_agent_watched_is_adopted_as_ended(
    bench: Bench,
) -> None:
    engine = await bench.started(programs.EXITS_0)
    await _until_ended(engine)
    (adopted,) = await (await bench.launcher()).adopt()
    assert not (await adopted.status()).running
    assert (await adopted.log_tail(10))[-1] == "last words"


async def test_a_forgotten_engine_is_not_adopted(bench: Bench) -> None:
    engine = await bench.started(programs.SERVES)
    await engine.kill()
    await engine.forget()
    await engine.forget()
    assert await (await bench.launcher()).adopt() == []


async def test_an_agent_adopts_only_its_own_engines(bench: Bench) -> None:
    await bench.started(programs.SERVES)
    mine, bench.agent_id = bench.agent_id, "another"
    assert await (await bench.launcher()).adopt() == []
    bench.agent_id = mine


async def test_starting_the_same_instance_twice_starts_one_engine(bench: Bench) -> None:
    launcher = await bench.launcher()
    spec = bench.spec(launcher, programs.SERVES)
    first = await launcher.start(spec)
    second = await launcher.start(spec)
    assert second.endpoint == first.endpoint
    assert len(await launcher.adopt()) == 1


async def test_every_call_may_be_repeated_after_the_end(bench: Bench) -> None:
    engine = await bench.started(programs.SERVES)
    for _ in range(2):
        await engine.stop(GRACE_S)
        await engine.kill()
    assert (await engine.usage()).resident_bytes == 0


async def test_usage_grows_with_what_the_engine_does(bench: Bench) -> None:
    engine = await bench.started(programs.COMPUTES)
    await _until_started(engine)
    before = await engine.usage()

    async def has_computed() -> bool:
        return (await engine.usage()).cpu_s > before.cpu_s

    await eventually(has_computed, "processor time is used")
    assert (await engine.usage()).resident_bytes > 0


async def test_a_command_that_does_not_exist_is_a_clear_failure(bench: Bench) -> None:
    bench.python = "/there/is/no/such/python"
    with pytest.raises(LaunchFailed, match="/there/is/no/such/python"):
        await bench.started(programs.SERVES)
    assert await (await bench.launcher()).adopt() == []


async def _children(engine: Engine) -> list[int]:
    await _until_started(engine)
    return [int(pid) for pid in (await engine.log_tail(10))[-1].split()[1:]]


async def _gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(p) and is_alive(psutil.Process(p)) for p in pids)


async def test_killing_an_engine_ends_the_children_that_its_own_death_would_orphan(
    tmp_path: Path,
) -> None:
    bench = ProcessBench(tmp_path)
    engine = await bench.started(programs.HAS_CHILDREN)
    children = await _children(engine)
    await engine.kill()
    assert await _gone(children)


async def test_orphans_of_an_engine_that_was_killed_by_somebody_else_are_swept(
    tmp_path: Path,
) -> None:
    bench = ProcessBench(tmp_path)
    engine = await bench.started(programs.HAS_CHILDREN)
    children = await _children(engine)
    (first,) = [p for p in psutil.Process().children() if p.pid == _parent(children[0])]
    first.kill()
    await _until_ended(engine)
    assert all(is_alive(psutil.Process(pid)) for pid in children)
    (adopted,) = await (await bench.launcher()).adopt()
    await adopted.kill()
    assert await _gone(children)


def _parent(pid: int) -> int:
    return psutil.Process(pid).ppid()


async def test_a_process_that_was_started_but_not_yet_recorded_is_found_by_its_marker(
    tmp_path: Path,
) -> None:
    bench = ProcessBench(tmp_path)
    engine = await bench.started(programs.SERVES)
    await _until_started(engine)
    (record,) = (tmp_path / "state" / "engines").glob("*.json")
    text = record.read_text()
    pid = text.split('"pid":')[1].split(",")[0]
    record.write_text(text.replace(f'"pid":{pid}', '"pid":null'))
    (adopted,) = await (await bench.launcher()).adopt()
    assert (await adopted.status()).running
    await adopted.kill()
    await _until_ended(engine)


async def test_an_engine_outlives_the_agent_that_is_killed(tmp_path: Path) -> None:
    """The agent here is a process of its own, ended with SIGKILL."""
    bench = ProcessBench(tmp_path)
    agent = await asyncio.create_subprocess_exec(
        bench.python,
        "-c",
        _AGENT.format(folder=str(tmp_path), agent=bench.agent_id),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert agent.stdout is not None
    await agent.stdout.readline()
    agent.kill()
    await agent.wait()
    (adopted,) = await (await bench.launcher()).adopt()
    await _until_started(adopted)
    assert (await adopted.status()).running
    await bench.clean_up()


_AGENT = """
import asyncio
from pathlib import Path
from tests.contract import launchers as programs

async def main():
    bench = programs.ProcessBench(Path({folder!r}), agent_id={agent!r})
    await bench.started(programs.SERVES)
    print("running", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_a_process_leaves_in_its_temporary_folder_goes_with_its_record(
    tmp_path: Path,
) -> None:
    bench = ProcessBench(tmp_path)
    engine = await bench.started(programs.LEAVES_A_FILE)
    await _until_ended(engine)
    left = Path((await engine.log_tail(1))[0].removeprefix("started "))
    [adopted] = await (await bench.launcher()).adopt()
    assert await asyncio.to_thread(left.exists)
    await adopted.forget()
    assert not await asyncio.to_thread(left.parent.exists)
