"""Whether somebody has a file open for writing, where the kernel tells."""

import fcntl
import os
import signal
from errno import EAGAIN
from pathlib import Path
from typing import Final

_F_SETSIG: Final = 10
"""Of Linux; Python does not name it."""


def is_being_written(path: Path) -> bool:
    """True where the kernel says so; false also where it cannot, or may not, say anything.

    A lease for reading is granted only while nobody writes. It takes being the file's owner, and a
    file system that has leases: network file systems, and writers on other machines, do not count.
    It is given back at once; who opens the file in between waits for that, and the signal then sent
    to us is one that does nothing.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(file, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == EAGAIN
    else:
        return False
    finally:
        os.close(file)


def has_hole(file: int, size_bytes: int) -> bool:
    """Whether a part of the file was never written, where the file system tells that."""
    before = os.lseek(file, 0, os.SEEK_CUR)
    try:
        return 0 <= os.lseek(file, 0, os.SEEK_HOLE) < size_bytes
    except OSError:
        return False
    finally:
        os.lseek(file, before, os.SEEK_SET)
