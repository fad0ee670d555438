"""The folder that an engine finds the model host's package in."""

import subprocess
import sys
from pathlib import Path

import pytest

from modelium.runtime_agent.host_package import linked_package
from modelium.runtime_agent.launcher import LaunchFailed

LOOKS = """
import importlib.util as find
print(find.find_spec("modelium.model_host") is not None, find.find_spec("modelium.common"))
"""


def test_an_interpreter_finds_the_host_there_and_nothing_else_of_ours(tmp_path: Path) -> None:
    root = linked_package(tmp_path)
    found = subprocess.run(
        [sys.executable, "-S", "-c", LOOKS],
        env={"PYTHONPATH": str(root)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["True", "None"]


def test_a_link_of_an_earlier_installation_is_replaced(tmp_path: Path) -> None:
    link = linked_package(tmp_path) / "modelium" / "model_host"
    now = link.readlink()
    link.unlink()
    link.symlink_to(tmp_path / "earlier")
    linked_package(tmp_path)
    assert link.readlink() == now
    assert list(link.parent.iterdir()) == [link]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "model-host").write_text("in the way")
    with pytest.raises(LaunchFailed, match=r"runtime_agent\.state_directory"):
        linked_package(tmp_path)
