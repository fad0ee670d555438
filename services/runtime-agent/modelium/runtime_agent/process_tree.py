"""Finds and ends all processes of an engine by what Linux tells in /proc; blocking.

An engine's processes share the session of the first, and carry a marker in their environment that
is unlike any other's, so that those are found too whose first process was killed or which made a
session of their own. (vLLM renames its processes, which overwrites the environment that others
read; `SPT_NOENV` forbids it that.)
"""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MARKER = "MODELIUM_INSTANCE"


@dataclass(frozen=True)
class Identity:
    """One process for ever: pids are used again, start times since a boot are not."""

    pid: int
    start_ticks: int
    boot_id: str


def identity(pid: int) -> Identity | None:
    """Of a running process; None when there is none, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may itself contain spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return Identity(pid, int(fields[19]), boot_id())


def boot_id() -> str:
    """Changes with every start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def is_running(known: Identity) -> bool:
    """Whether that very process still runs."""
    return identity(known.pid) == known


def members(marker: str, leader: Identity | None) -> list[int]:
    """Pids of the engine's processes that run now."""
    session = leader.pid if leader is not None and is_running(leader) else None
    return [pid for pid in psutil.pids() if _belongs(pid, marker, session)]


def _belongs(pid: int, marker: str, session: int | None) -> bool:
    its_session = _session(pid)
    if its_session is None or pid == os.getpid():
        return False
    return its_session == session or _marker(pid) == marker


def find_leader(marker: str) -> Identity | None:
    """The first process of the engine with this marker: the one that leads its session."""
    leaders = (pid for pid in psutil.pids() if _session(pid) == pid and _marker(pid) == marker)
    return next((found for pid in leaders if (found := identity(pid))), None)


def kill_all(pids: list[int]) -> None:
    """SIGKILL each; those already gone are no error."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class TreeUsage:
    """Of several processes together; memory they share counts once."""

    cpu_s: float = 0.0
    resident_bytes: int = 0


def usage(pids: list[int]) -> TreeUsage:
    """Measure; processes that end meanwhile count nothing."""
    cpu_s, resident = 0.0, 0
    for pid in pids:
        with suppress(psutil.Error, OSError):
            times = psutil.Process(pid).cpu_times()
            cpu_s += times.user + times.system
            resident += _proportional_bytes(pid)
    return TreeUsage(cpu_s, resident)


def _proportional_bytes(pid: int) -> int:
    """PSS, for which the kernel does the adding up."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _session(pid: int) -> int | None:
    """None for a zombie: it holds nothing and ends when its parent looks."""
    try:
        return os.getsid(pid) if identity(pid) else None
    except OSError:
        return None


def _marker(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARKER}=".encode()
    found = (v for v in environment.split(b"\0") if v.startswith(prefix))
    return next((v[len(prefix) :].decode(errors="replace") for v in found), None)
