"""Real NATS and Redis servers as children of the tests, each in a folder of its own."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.system import free_port, server_binary, wait_until


class Server:
    """One server on one port; can be killed, started again, and started again empty."""

    def __init__(
        self, folder: Path, scheme: str, command: Callable[[int, Path], list[str]]
    ) -> None:
        self._folder = folder
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it with the data it had, and wait until it listens."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                self._command(self.port, data), stdout=log, stderr=log, cwd=self._folder
            )
        wait_until(f"{self.url} listens", self._listens, timeout_s=10)

    def kill(self) -> None:
        """As a crash would, with SIGKILL."""
        self.stop(signal.SIGKILL)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        if self._child is not None:
            self._child.send_signal(signum)
            self._child.wait(timeout=10)
            self._child = None

    def wipe(self) -> None:
        """Forget all data; the server must not run."""
        shutil.rmtree(self._folder / "data")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def nats_server(folder: Path) -> Server:
    """With JetStream on disk."""

    def command(port: int, data: Path) -> list[str]:
        address = ["-a", "127.0.0.1", "-p", str(port)]
        return [server_binary("nats-server"), *address, "-js", "-sd", str(data)]

    return Server(folder, "nats", command)


def redis_server(folder: Path) -> Server:
    """With its log of appends, so that it comes back with its data."""

    def command(port: int, data: Path) -> list[str]:
        address = ["--bind", "127.0.0.1", "--port", str(port)]
        safe = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [server_binary("redis-server"), *address, "--dir", str(data), *safe]

    return Server(folder, "redis", command)
