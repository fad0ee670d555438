"""Several processes that serve one port, and the parent that keeps them running.

The parent serves nothing. It forks workers, each a whole gateway with an id of its own; the system
shares connections out among them. One that dies is replaced; its connections are lost, the others'
are not. A signal is passed on to all; the parent ends when they have.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from modelium.common.errors import ExitCode
from modelium.common.service import SIGNAL_EXIT_BASE
from modelium.gateway.reporting.shared_metrics import retire

RESTART_S: Final = 1.0
"""From a worker's death to its successor, so that one that dies at once does not spin."""
_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
_HOPELESS: Final = frozenset({ExitCode.USAGE, ExitCode.PERMISSION, ExitCode.CONFIG})
"""A successor would end with the same. So it would with UNAVAILABLE, until all have once begun to
serve: after that what is missing has been there, and the others may do without it."""
_BEGUN: Final = ".begun"

_log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """One of the processes; `number` is never used again."""

    number: int
    folder: Path
    """Where each worker leaves its numbers for the others."""
    parent: int
    """A descriptor that is at its end once the parent has died."""

    def stop_with_parent(self) -> None:
        """Stop as on SIGTERM when the parent is gone without a signal; call it in the loop."""
        loop = asyncio.get_running_loop()

        def orphaned() -> None:
            loop.remove_reader(self.parent)
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(self.parent, orphaned)

    def begun(self) -> None:
        """Tell the parent that this worker has found all that it needs."""
        (self.folder / f"{self.number}{_BEGUN}").touch()


def serve_with_workers(count: int, work: Callable[[Worker], None]) -> int:
    """Run `work` in `count` processes until told to stop; the exit code of the first failure."""
    with TemporaryDirectory(prefix="modelium-gateway-") as folder:
        return _Parent(count, work, Path(folder)).run()


class _Parent:
    def __init__(self, count: int, work: Callable[[Worker], None], folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._count = self._missing = count
        self._started = 0
        self._alive: dict[int, int] = {}
        self._stopping = False
        self._exit_code = 0
        self._pipe = os.pipe()
        # Waited for one by one, so that nothing happens in between.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def run(self) -> int:
        self._start_missing()
        while self._alive or (self._missing and not self._stopping):
            got = signal.sigtimedwait(_SIGNALS, RESTART_S)
            if got is None:
                self._start_missing()
            elif got.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                self._stop(got.si_signo)
        return self._exit_code

    def _start_missing(self) -> None:
        while self._missing and not self._stopping:
            self._missing -= 1
            self._started += 1
            pid = os.fork()
            if pid == 0:
                self._be(Worker(self._started, self._folder, self._pipe[0]))
            self._alive[pid] = self._started

    def _be(self, worker: Worker) -> None:
        """Never returns: what the parent would clean up at its exit is not the child's."""
        code: object = ExitCode.INTERNAL
        try:
            os.close(self._pipe[1])
            # Not in the terminal's group: Ctrl-C reaches the parent, which passes it on, once.
            os.setpgid(0, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._work(worker)
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else ExitCode.FAILURE)

    def _reap(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._ended(self._alive.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, number: int, code: int) -> None:
        if code < 0:
            code = SIGNAL_EXIT_BASE - code
        if self._stopping:
            self._exit_code = self._exit_code or code
            return
        retire(self._folder, number)
        if self._is_hopeless(code):
            self._exit_code = code
            self._stop(signal.SIGTERM)
        else:
            _log.error("gateway.worker_died", number=number, exit_code=code)
            self._missing += 1

    def _is_hopeless(self, code: int) -> bool:
        if code != ExitCode.UNAVAILABLE:
            return code in _HOPELESS
        return len(list(self._folder.glob(f"*{_BEGUN}"))) < self._count

    def _stop(self, signum: int) -> None:
        self._stopping = True
        for pid in self._alive:
            os.kill(pid, signum)
