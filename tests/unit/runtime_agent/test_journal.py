"""What the next agent reads of what this one has begun."""

from pathlib import Path

from modelium.common.records import InstanceState
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


async def test_a_damaged_entry_does_not_stop_the_agent(tmp_path: Path) -> None:
    (tmp_path / "qwen.1.json").write_text("{")
    assert await Journal(tmp_path).entries() == []
    assert not (tmp_path / "qwen.1.json").exists()


async def test_a_new_agent_has_no_entries(tmp_path: Path) -> None:
    assert await Journal(tmp_path / "nothing").entries() == []
