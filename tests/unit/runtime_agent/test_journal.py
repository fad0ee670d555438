"""What the next agent reads of what this one has begun."""

import asyncio
from pathlib import Path

from modelium.common.records import InstanceState
from modelium.common.testing import yield_to_others
from modelium.runtime_agent.journal import Entry, Journal
from tests.agent_kit import a_record, an_unload


async def test_what_was_written_last_is_read_by_the_next_agent(tmp_path: Path) -> None:
    loading = Entry(record=a_record(), state=InstanceState.LOADING, served=False)
    leaving = Entry(
        record=a_record(), state=InstanceState.UNLOADING, served=True, unload=an_unload()
    )
    journal = Journal(tmp_path)
    await journal.write(loading)
    await journal.write(leaving)
    assert await Journal(tmp_path).entries() == [leaving]


async def test_what_was_removed_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    entry = Entry(record=a_record(), state=InstanceState.LOADED, served=True)
    await journal.write(entry)
    await journal.remove(entry.record.instance_id)
    await journal.remove(entry.record.instance_id)
    assert await journal.entries() == []


async def test_writes_of_one_entry_at_the_same_time_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    entry = Entry(record=a_record(), state=InstanceState.LOADED, served=True)
    journal = Journal(tmp_path)
    for _ in range(20):
        await asyncio.gather(*(journal.write(entry) for _ in range(10)))
    assert _names(tmp_path) == ["qwen.1.json"]


async def test_a_write_that_was_cancelled_has_ended_before_the_next_begins(tmp_path: Path) -> None:
    loading = Entry(record=a_record(), state=InstanceState.LOADING, served=False)
    journal = Journal(tmp_path)
    for _ in range(20):
        writing = asyncio.ensure_future(journal.write(loading))
        await yield_to_others(1)
        writing.cancel()
        await asyncio.wait([writing])
        assert await journal.entries() == [loading]
        await journal.remove("qwen.1")


async def test_what_a_killed_agent_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "qwen.1.abc.part").write_text("{")
    assert await Journal(tmp_path).entries() == []
    assert _names(tmp_path) == []


async def test_a_damaged_entry_does_not_stop_the_agent(tmp_path: Path) -> None:
    (tmp_path / "qwen.1.json").write_text("{")
    assert await Journal(tmp_path).entries() == []
    assert not (tmp_path / "qwen.1.json").exists()


async def test_a_new_agent_has_no_entries(tmp_path: Path) -> None:
    assert await Journal(tmp_path / "nothing").entries() == []


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
