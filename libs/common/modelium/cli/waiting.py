"""Waits for something outside this process, visibly, and lets signals interrupt.

A signal raises `Stopped` in whatever the main thread is doing, so that every wait ends at once and
`finally` blocks clean up.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from modelium.cli.console import Step
from modelium.common.clock import Clock, SystemClock

T = TypeVar("T")
POLL_S = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asks this process to end; not an Exception, so that nothing takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise `Stopped` for SIGINT, SIGTERM and SIGHUP while the block runs."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pause(delay_s: float = POLL_S) -> None:
    """Do nothing for a while; a signal ends it."""
    threading.Event().wait(delay_s)


def until(
    probe: Callable[[], T | None],
    *,
    timeout_s: float,
    step: Step | None = None,
    note: Callable[[], str] = str,
    clock: Clock | None = None,
) -> T | None:
    """Ask `probe` until it answers something true, and return that; None when time is over."""
    clock = clock or SystemClock()
    deadline = clock.monotonic() + timeout_s
    while not (found := probe()):
        if clock.monotonic() >= deadline:
            return None
        if step:
            step.note(note())
        pause()
    return found
