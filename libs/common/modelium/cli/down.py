"""`modelium down`: ends every process of the local system, however it was left.

supervisord stops its processes in order; what carries the mark of this system after that (because
supervisord or an agent was killed) is swept up.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from modelium.cli import leftovers
from modelium.cli.console import say, step
from modelium.cli.layout import Layout
from modelium.cli.supervise import Supervisor
from modelium.cli.waiting import SIGNALS, Stopped, stopped_by_signals

STOP_TIMEOUT_S = 240.0
"""More than all processes together may take (programs.py)."""


def down_on_demand(layout: Layout) -> bool:
    """What the command does: like `down`, and an `up` at work here learns of it."""
    if leftovers.marked(layout.run):
        layout.stopped.touch()
    return down(layout)


def down(layout: Layout, *, because: str = "") -> bool:
    """Stop what runs here, at once after a signal; whether anything did."""
    try:
        with stopped_by_signals():
            if because:
                say(because)
            if not leftovers.marked(layout.run):
                return False
            _stop(layout)
    except Stopped as again:
        with _deaf():
            say("\nstopping at once")
            leftovers.sweep(layout.run, grace_s=0.0)
        raise SystemExit(128 + again.number) from again
    return True


def _stop(layout: Layout) -> None:
    supervisor = Supervisor(layout)
    if supervisor.is_running():
        with step("requests end, engines stop, services stop", "stopped"):
            supervisor.shut_down(STOP_TIMEOUT_S)
    if leftovers.marked(layout.run):
        with step("processes without a supervisor are stopped", "stopped"):
            names = leftovers.sweep(layout.run)
        say(f"  these were left: {', '.join(names)}")
    layout.socket.unlink(missing_ok=True)


@contextmanager
def _deaf() -> Iterator[None]:
    """No further signal may interrupt what takes a moment only."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
