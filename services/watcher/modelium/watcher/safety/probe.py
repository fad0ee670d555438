"""Finds out, from within a confined process, what it can still do: by trying, not by asking."""

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

from modelium.common.frozen import Frozen

_OUTSIDE = Path("/etc/passwd")
"""A file that every system has, and that is none of a model's."""


class Confined(Frozen):
    """What was refused to the process that tried."""

    files: bool
    """Reading files that are not the model's."""
    calls: bool
    """Sockets, processes, programs and writing."""


def try_everything() -> Confined:
    """Try what code of a stranger would; harmless where nothing refuses it."""
    calls = (_open_socket, _fork, _execute, _write)
    return Confined(files=_refused(_read), calls=all(map(_refused, calls)))


def _refused(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except FileNotFoundError:
        return True  # no such file in the view of this process
    except OSError as error:
        return error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS)
    return False


def _read() -> None:
    _OUTSIDE.read_bytes()


def _open_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _execute() -> None:
    """A program with a file that cannot be one, so that nothing runs where it is allowed."""
    os.execv("/", ["/"])


def _write() -> None:
    path = Path("/tmp") / f"modelium-probe-{os.getpid()}"
    path.write_bytes(b"")
    path.unlink()
