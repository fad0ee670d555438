"""Services of which two processes run, one of them leading."""

import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system import System, free_port, wait_until


class Pair:
    """Two processes of one service of a system; the first is already there."""

    def __init__(self, system: System, service: str) -> None:
        self._system = system
        self._names = (service, f"{service}.second")
        second = self._names[1]
        system.ports[second] = free_port()
        setting = f"MODELIUM_HEALTH__{service.upper()}_PORT"
        system.spawn(second, system.command(service), **{setting: str(system.ports[second])})
        wait_until(f"{second} is ready", lambda: system.is_ready(second))

    def leader(self) -> str:
        """Wait until exactly one of them says that it leads; its name."""

        def found() -> str | None:
            leading = [name for name in self._names if self.leads(name)]
            return leading[0] if len(leading) == 1 else None

        name: str = wait_until("one of them leads", found)
        return name

    def other(self, name: str) -> str:
        """The one that is not `name`."""
        return next(other for other in self._names if other != name)

    def wait_for(self, name: str) -> None:
        """Until this one leads."""
        wait_until(f"{name} leads", lambda: self.leads(name))

    def leads(self, name: str) -> bool:
        """Whether this one says so; one that does not answer does not."""
        address = f"http://127.0.0.1:{self._system.ports[name]}/metrics"
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, OSError):
            return False
        return any(line.startswith("modelium_leader{") and line.endswith(" 1.0") for line in lines)

    @contextmanager
    def held_up(self, name: str) -> Iterator[None]:
        """Let this one miss all that happens meanwhile, and go on afterwards."""
        child = self._system.children[name]
        child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.send_signal(signal.SIGCONT)
