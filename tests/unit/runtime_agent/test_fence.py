"""Whose commands an agent carries out."""

from pathlib import Path

import pytest

from modelium.common.errors import Reject
from modelium.common.events import Command
from modelium.runtime_agent.fence import Fence
from tests.agent_kit import a_load, an_unload

FILE = "state/newest-epoch"


def of(epoch: int | None) -> Command:
    return an_unload().model_copy(update={"epoch": epoch})


async def test_commands_of_the_newest_and_of_newer_ones_are_admitted(tmp_path: Path) -> None:
    fence = Fence(tmp_path / FILE)
    for epoch in (3, 3, 7):
        await fence.admit(of(epoch))


async def test_a_command_of_an_older_one_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    fence = Fence(tmp_path / FILE)
    await fence.admit(of(7))
    with pytest.raises(Reject, match=r"epoch 3.*epoch 7.*newest-epoch"):
        await fence.admit(of(3))
    await fence.admit(of(7))


async def test_who_leads_is_heard_of_before_it_commands(tmp_path: Path) -> None:
    fence = Fence(tmp_path / FILE)
    await fence.heard(7)
    with pytest.raises(Reject):
        await fence.admit(of(3))


async def test_what_was_heard_late_changes_nothing(tmp_path: Path) -> None:
    fence = Fence(tmp_path / FILE)
    await fence.heard(7)
    await fence.heard(3)
    with pytest.raises(Reject):
        await fence.admit(of(3))


async def test_the_next_agent_knows_it_too(tmp_path: Path) -> None:
    await Fence(tmp_path / FILE).heard(7)
    with pytest.raises(Reject):
        await Fence(tmp_path / FILE).admit(of(6))
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["newest-epoch"]


async def test_a_command_without_an_epoch_is_admitted(tmp_path: Path) -> None:
    """By hand, or from an orchestrator that knows nothing of epochs."""
    fence = Fence(tmp_path / FILE)
    await fence.heard(7)
    await fence.admit(a_load(tmp_path))


@pytest.mark.parametrize("damaged", ["", "seven", "\x00\x00"])
async def test_a_file_that_was_damaged_says_nothing(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "newest-epoch").write_text(damaged)
    await Fence(tmp_path / "newest-epoch").admit(of(1))
