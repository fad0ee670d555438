"""The agent on a disk that is full: it goes on, says so, and recovers when there is room again."""

from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from modelium.common.events import RuntimeFailed, RuntimeLoaded, RuntimeUnloaded
from modelium.common.records import FailureKind, InstanceState
from modelium.runtime_agent.fence import Fence
from modelium.runtime_agent.journal import Entry, Journal
from tests.agent_kit import a_load, a_record, an_unload, eventually
from tests.full_disk import small_disk
from tests.integration.agents import a_clean_agent, an_agent, loaded


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "qwen"
    path.mkdir()
    return path


async def _log_has_begun(state: Path) -> bool:
    return any(log.stat().st_size for log in (state / "logs").glob("*.log"))


async def test_an_engine_is_unloaded_and_the_next_load_says_that_the_disk_is_full(
    tmp_path: Path, model: Path
) -> None:
    with small_disk(tmp_path / "state") as disk:
        async with a_clean_agent(tmp_path) as agent:
            await loaded(agent, model)
            disk.fill()
            await agent.send(an_unload())
            await agent.heard(RuntimeUnloaded)
            await agent.send(a_load(model, generation=2))
            failed = await agent.heard(RuntimeFailed)
            assert failed.kind is FailureKind.START_FAILED
            assert "No space left on device" in failed.reason
            assert "runtime_agent.state_directory" in failed.reason
            assert agent.processes() == []
            disk.empty()
            await agent.send(a_load(model, generation=3))
            await agent.heard(RuntimeLoaded, count=2)


async def test_the_next_agent_finds_an_engine_whose_states_could_not_be_noted(
    tmp_path: Path, model: Path
) -> None:
    with small_disk(tmp_path / "state") as disk:
        async with an_agent(tmp_path, "--startup-delay", "2") as agent:
            await agent.send(a_load(model))
            await eventually(partial(_log_has_begun, disk.folder), "the engine says something")
            disk.fill()
            await agent.heard(RuntimeLoaded)
        async with a_clean_agent(tmp_path) as agent:
            await agent.heard(RuntimeLoaded)
            assert len(agent.processes()) == 1


async def test_what_cannot_be_noted_leaves_the_note_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state") as disk:
        journal = Journal(disk.folder)
        loading = Entry(record=a_record(), state=InstanceState.LOADING, served=False)
        serving = loading.model_copy(update={"state": InstanceState.LOADED, "served": True})
        await journal.write(loading)
        disk.fill()
        with capture_logs() as logs:
            await journal.write(serving)
        assert [line["event"] for line in logs] == ["file.not_written"]
        assert sorted(path.name for path in disk.folder.iterdir()) == ["filler", "qwen.1.json"]
        assert await journal.entries() == [loading]
        disk.empty()
        await journal.write(serving)
        assert await journal.entries() == [serving]


async def test_a_replaced_orchestrator_is_refused_although_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state") as disk:
        disk.fill()
        fence = Fence(disk.folder / "newest-epoch")
        await fence.heard(5)
        with pytest.raises(Exception, match="was replaced"):
            await fence.admit(an_unload().model_copy(update={"epoch": 4}))
