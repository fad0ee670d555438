"""The shell every service runs in; see `Shell` and `run`."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Protocol

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.load_settings import Settings
from modelium.common.store import Store


class Shell(Protocol):
    """What a service's `build` gets, and where it puts what it wants to run."""

    settings: Settings
    clock: Clock
    bus: Bus
    store: Store
    instance: str
    """`<service>-<random>`: this process; `ce-source` of all it publishes."""
    resources: AsyncExitStack
    """Closed in reverse order after all tasks have ended."""

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until the service stops; if it raises, the service ends with a failure."""

    def check(self, name: str, probe: Callable[[], Awaitable[bool]]) -> None:
        """Add a condition to /readyz."""

    async def readiness(self) -> dict[str, bool]:
        """Ask every check, by name; for a service that answers /readyz on a port of its own."""

    def before_stop(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Await `drain` when the service is told to stop, while its tasks still run.

        Tasks are cancelled only after it has returned, so it must bound itself.
        """


Build = Callable[[Shell], Awaitable[None]]


def run(name: str, build: Build) -> None:
    """`__main__` of a service: settings, logs, bus, store, health surface, signals, exit code."""
    raise NotImplementedError
