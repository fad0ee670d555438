"""Looks whether an engine's user could read a model's files before an engine is started.

An engine that may not read a file says so only after half a minute of imports.
"""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

Readable = Callable[[int, int, int], bool]
"""(mode, uid, gid) of a file → whether the engine can read it."""


def unreadable(path: Path, readable: Readable) -> str | None:
    """Why the model at `path` cannot be read, for people; None when it can be."""
    if not path.exists():
        return f"There is no model at {path} any more"
    for entry in _entries(path):
        try:
            found = entry.stat()
        except OSError as wrong:
            return f"{entry} cannot be read ({wrong.strerror})"
        # A folder must also be entered; bits of x are where those of r are, shifted by two.
        mode = found.st_mode
        enterable = not stat.S_ISDIR(mode) or readable(mode << 2, found.st_uid, found.st_gid)
        if not (enterable and readable(mode, found.st_uid, found.st_gid)):
            return (
                f"{entry} is not readable for the engine's user;"
                f" remedy: chmod {'a+rx' if entry.is_dir() else 'a+r'} {entry}"
            )
    return None


def _entries(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from (e for e in sorted(path.iterdir()) if not e.name.startswith("."))


def readable_by(mode: int, owner: int, group: int, *, uid: int, gids: frozenset[int]) -> bool:
    """Whether a user could read a file with these attributes (root can read all)."""
    if uid == 0:
        return True
    if owner == uid:
        return bool(mode & stat.S_IRUSR)
    return bool(mode & (stat.S_IRGRP if group in gids else stat.S_IROTH))
