"""Where a pulled model grows: a hidden folder beside its place, of one pull at a time.

Its name has the commit, so that what is gone on with is of the same files.
"""

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelium.cli.console import say
from modelium.common.errors import DependencyUnavailable, PermissionMissing


def make_folder(folder: Path) -> None:
    """Have the watched folder there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise PermissionMissing(
            f"{folder} cannot be made: {wrong.strerror}", "Name another by --to."
        ) from wrong
    if not os.access(folder, os.W_OK | os.X_OK):
        text = f"{folder} may not be written by this user"
        raise PermissionMissing(text, f"chown -R $(id -un) {folder}, or name another by --to.")


@contextmanager
def growing(folder: Path, model: str, commit: str) -> Iterator[Path]:
    """The folder to fetch into, for this process alone; what other commits have left is removed.

    Raises:
        DependencyUnavailable: another pull of the model is at work.
    """
    mine = folder / f".{model}.{commit[:12]}.partial"
    mine.mkdir(exist_ok=True)
    with _held(mine):
        for other in folder.glob(f".{glob.escape(model)}.*.partial"):
            if other != mine:
                with _held(other):
                    say(f"{other} is removed: it was begun of another revision")
                    shutil.rmtree(other)
        yield mine


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The lock is of the folder itself: a file would be taken for part of the model."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as busy:
        raise DependencyUnavailable(
            f"Another pull is at work in {folder}", "Wait until it has ended, or end it."
        ) from busy
