"""Finds and ends the processes of a local system by the mark in their environment.

Every process below supervisord inherits `MODELIUM_RUN=<run folder>`, engines included, so nothing
is missed when supervisord or an agent was killed, and nobody else's process is touched.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import psutil

MARK = "MODELIUM_RUN"
GRACE_S = 5.0


def marked(run: Path) -> list[psutil.Process]:
    """All processes of the system, except this one and its ancestors."""
    me = psutil.Process()
    excluded = {me.pid, *(parent.pid for parent in me.parents())}
    return [p for p in psutil.process_iter() if p.pid not in excluded and _carries(p, str(run))]


def _carries(process: psutil.Process, run: str) -> bool:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.environ().get(MARK) == run
    except (psutil.Error, OSError):
        return False


def sweep(run: Path, *, grace_s: float = GRACE_S) -> list[str]:
    """End what is left, gently first; returns what it was, as `name (pid)`."""
    found = marked(run)
    names = [describe(process) for process in found]
    _each(found, "terminate")
    _, stubborn = psutil.wait_procs(found, timeout=grace_s)
    _each(stubborn, "kill")
    psutil.wait_procs(stubborn, timeout=GRACE_S)
    if late := marked(run):  # started by another while that one was ended
        _each(late, "kill")
        names += [describe(process) for process in late]
        psutil.wait_procs(late, timeout=GRACE_S)
    return names


def _each(processes: Sequence[psutil.Process], method: str) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            getattr(process, method)()


def describe(process: psutil.Process) -> str:
    """`name (pid 12)`, with the module's name for one of ours."""
    try:
        words = process.cmdline()
    except psutil.Error:
        words = []
    modules = [word for word in words if word.startswith("modelium.")]
    name = modules[0] if modules else Path(words[0]).name if words else "process"
    return f"{name} (pid {process.pid})"


def environment(run: Path) -> dict[str, str]:
    """The environment of every process of the system."""
    # Programs that change their title would write it over the mark.
    return {**os.environ, MARK: str(run), "SPT_NOENV": "1"}
