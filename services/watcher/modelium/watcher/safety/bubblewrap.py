"""The command line that runs a program in namespaces of its own, by bubblewrap."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

_SYSTEM: Final = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache")
"""Programs and shared libraries; of /etc nothing else."""


def find() -> str | None:
    """The program, where it is installed."""
    return shutil.which("bwrap")


def wrapped(
    bwrap: str, argv: Sequence[str], readable: Iterable[Path], environment: Mapping[str, str]
) -> list[str]:
    """The command: no network, no other processes, and no files but those named, to be read."""
    command = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    for path in (*_SYSTEM, *map(str, readable)):
        command += ["--ro-bind-try", path, path]
    command += ["--dev", "/dev", "--remount-ro", "/", "--chdir", "/"]
    return [*command, "--", *argv]
