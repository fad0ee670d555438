"""Opens files that somebody else may replace at any moment. Blocks no longer than a disk does."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """To be read from its start.

    What was a file when it was listed may be a pipe now, which would be waited for without an end.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    # Not by `open(opener=…)`: it asks for a system call that the analysis' process has given up.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)
