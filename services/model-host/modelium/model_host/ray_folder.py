"""The folder of one Ray's files, and those that hosts left behind which were killed.

Its host holds a lock on it, which ends with the process however that ends; nothing else tells for
sure, across containers that share a folder too, whether anybody still uses it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Final

_PREFIX: Final = "mr-"
_UNLOCKED: Final = "mr_"
"""Of folders that nobody has locked yet: they are not looked at."""


@contextmanager
def ray_folder(place: Path) -> Iterator[Path]:
    """A new folder in `place` that only this user can read; those that nobody uses are removed."""
    for left in place.glob(f"{_PREFIX}*"):
        _remove_unused(left)
    made = Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=place))
    lock = _opened(made)
    try:
        flock(lock, LOCK_EX)
        folder = made.rename(place / made.name.replace(_UNLOCKED, _PREFIX, 1))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _remove_unused(folder: Path) -> None:
    try:
        lock = _opened(folder)
    except OSError:
        return  # it is another user's, no folder, or gone
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            flock(lock, LOCK_EX | LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return  # its host lives
    finally:
        os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
