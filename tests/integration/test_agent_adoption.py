"""What an agent finds when the one before it was stopped or killed."""

from pathlib import Path

import psutil
import pytest

from modelium.common.events import (
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeUnloaded,
    RuntimeUnloading,
)
from modelium.common.records import FailureKind, InstanceState
from modelium.runtime_agent.journal import Entry, Journal
from tests.agent_kit import a_load, a_record, an_unload, stats
from tests.integration.agents import a_clean_agent, an_agent, loaded


async def test_a_stopped_agent_stops_its_engines(tmp_path: Path, model: Path) -> None:
    async with an_agent(tmp_path) as agent:
        await loaded(agent, model)
        await agent.supervisor.stop_all(0.0)
        assert agent.kinds[-1] is RuntimeUnloaded
        assert agent.processes() == []


async def test_the_next_agent_adopts_a_running_engine_and_announces_it_again(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path) as first:
        announced = await loaded(first, model)
        processes = first.processes()
    async with a_clean_agent(tmp_path) as second:
        again = await second.heard(RuntimeLoaded)
        assert second.kinds == [RuntimeLoaded]
        assert again.endpoint == announced.endpoint
        assert again.memory == announced.memory
        assert second.processes() == processes


async def test_the_next_agent_goes_on_watching_an_engine_that_was_still_loading(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path, "--startup-delay", "3") as first:
        await first.send(a_load(model))
        await first.until_processes(1)
        processes = first.processes()
    async with a_clean_agent(tmp_path) as second:
        await second.heard(RuntimeLoaded)
        assert second.processes() == processes


async def test_the_next_agent_tells_of_an_engine_that_is_gone(tmp_path: Path, model: Path) -> None:
    async with an_agent(tmp_path) as first:
        await loaded(first, model)
        for process in first.processes():
            process.kill()
        psutil.wait_procs(first.processes(), timeout=5)
    async with a_clean_agent(tmp_path) as second:
        failed = await second.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert second.supervisor.instances() == ()


async def test_the_next_agent_ends_the_unload_that_was_under_way(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path) as first:
        await loaded(first, model)
        await first.send(stats(routed=1, serving=(1,)))
        await first.send(an_unload(drain_s=1.0))
        await first.heard(RuntimeUnloading)
    async with a_clean_agent(tmp_path) as second:
        await second.heard(RuntimeUnloaded)
        assert second.processes() == []


@pytest.mark.parametrize(
    ("served", "kind"), [(False, FailureKind.CANCELLED), (True, FailureKind.CRASHED)]
)
async def test_an_engine_without_a_trace_counts_as_failed_only_if_it_has_served(
    tmp_path: Path, served: bool, kind: FailureKind
) -> None:
    entry = Entry(record=a_record(), state=InstanceState.LOADING, served=served)
    await Journal(tmp_path / "state" / "journal").write(entry)
    async with a_clean_agent(tmp_path) as agent:
        assert (await agent.heard(RuntimeFailed)).kind is kind
