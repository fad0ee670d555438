"""Child processes of a benchmark: pinned to a CPU, measured from outside, ended for certain."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.system import wait_until

STOP_S = 10


@dataclass(frozen=True)
class Cpus:
    """Where the proxy runs, and where the load and the engine."""

    proxy: int
    load: int


def two_cpus() -> Cpus:
    """The first two CPUs of this process; SystemExit if it has one only."""
    have = sorted(os.sched_getaffinity(0))
    if len(have) < 2:
        raise SystemExit("this needs two CPUs: one for the proxy, one for the load and the engine")
    return Cpus(have[0], have[1])


@contextmanager
def on_cpu(cpu: int) -> Iterator[None]:
    """What is started in here runs on this CPU only; it inherits that from us."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def child(
    command: Sequence[str],
    *,
    cpu: int,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[psutil.Process]:
    """A process with its output in `log`; it and all that it started are gone at the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output, on_cpu(cpu):
        started = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=cwd, env={**os.environ, **(env or {})}
        )
    process = psutil.Process(started.pid)
    try:
        yield process
    finally:
        left = family(process)
        started.terminate()
        psutil.wait_procs(left, timeout=STOP_S)
        for one in left:
            if one.is_running():
                one.kill()
        started.wait(STOP_S)


def family(root: psutil.Process) -> list[psutil.Process]:
    """It and its descendants."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_s(roots: Sequence[psutil.Process]) -> float:
    """User and system time of these processes and their descendants so far."""
    total = 0.0
    for process in (one for root in roots for one in family(root)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def memory_bytes(roots: Sequence[psutil.Process]) -> tuple[int, int]:
    """Resident memory, and that with shared pages divided among those who share them (PSS)."""
    infos = [one.memory_full_info() for root in roots for one in family(root)]
    return sum(i.rss for i in infos), sum(i.pss for i in infos)


def wait_for_port(port: int, *, timeout_s: float = 30.0) -> None:
    """Until something listens on this port of loopback."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(f"port {port} listens", listens, timeout_s)
