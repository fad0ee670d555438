"""Processes are found by the mark in their environment, and by nothing else."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelium.cli import leftovers

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1; done"
ORPHAN = "sleep 1000 & echo $!"


@contextmanager
def shell(run: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env=leftovers.environment(run),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with shell(tmp_path, STUBBORN) as process:
        assert process.stdout is not None
        process.stdout.readline()
        names = leftovers.sweep(tmp_path, grace_s=0.2)
        assert any(f"(pid {process.pid})" in name for name in names)
    assert leftovers.marked(tmp_path) == []


def test_an_orphan_is_found_after_its_parent_has_ended(tmp_path: Path) -> None:
    with shell(tmp_path, ORPHAN) as process:
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        process.wait(5)
        assert [found.pid for found in leftovers.marked(tmp_path)] == [orphan]
        leftovers.sweep(tmp_path)
    assert leftovers.marked(tmp_path) == []


def test_processes_of_another_run_are_left_alone(tmp_path: Path) -> None:
    with shell(tmp_path / "other", "echo ready; sleep 1000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert leftovers.sweep(tmp_path / "mine") == []
        assert process.poll() is None
        leftovers.sweep(tmp_path / "other")
