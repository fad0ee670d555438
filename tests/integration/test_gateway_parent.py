"""The parent of the gateway's workers, with workers that end as they are told."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from modelium.common.errors import ExitCode

PROGRAM = """
import os, signal, sys
from modelium.gateway.workers import serve_with_workers

def work(worker):
    if worker.number in {ending}:
        sys.exit({code})
    worker.begun()
    os.write(1, b"%d\\n" % os.getpid())
    signal.pause()

sys.exit(serve_with_workers(2, work))
"""


@contextmanager
def parent(*, ending: set[int], code: ExitCode) -> Iterator[psutil.Popen]:
    """A parent of two workers, of which those with the numbers `ending` end at once."""
    program = PROGRAM.format(ending=ending, code=int(code))
    process = psutil.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.is_running():
            process.terminate()
        process.wait(20)
        process.stdout.close()


def next_worker(process: psutil.Popen) -> psutil.Process:
    """The next one that has begun to serve."""
    while (line := process.stdout.readline()) and not line.strip().isdigit():
        pass  # a log line
    assert line, "the parent has ended"
    return psutil.Process(int(line))


def test_what_is_away_for_a_successor_does_not_stop_the_worker_that_serves() -> None:
    """Redis went away between a successor's ping and its first read, and all workers with it."""
    with parent(ending={3, 4}, code=ExitCode.UNAVAILABLE) as process:
        first, second = next_worker(process), next_worker(process)
        first.kill()
        assert {next_worker(process), second} == set(process.children())


def test_what_is_away_at_the_start_stops_all_with_its_exit_code() -> None:
    with parent(ending={2}, code=ExitCode.UNAVAILABLE) as process:
        assert process.wait(20) == ExitCode.UNAVAILABLE


def test_a_setting_that_has_become_wrong_stops_all_with_its_exit_code() -> None:
    with parent(ending={3}, code=ExitCode.CONFIG) as process:
        next_worker(process)
        next_worker(process).kill()
        assert process.wait(20) == ExitCode.CONFIG
