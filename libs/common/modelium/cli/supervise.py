"""Talks to supervisord, which keeps the processes of a local system running.

Owns its start, its configuration file and its RPC; in which order processes start and when the
system counts as running is left to `up.py`.
"""

import http.client
import os
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from modelium.cli.layout import Layout
from modelium.cli.waiting import until
from modelium.common.errors import DependencyUnavailable

START_TIMEOUT_S = 15.0
UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError)


class Supervisor:
    """The supervisord of one layout, running or not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            self._call("supervisor.getState")
        except UNREACHABLE:
            return False
        except xmlrpc.client.Fault:  # it is shutting down, and answers nothing else
            return True
        return True

    def spawn(self, configuration: str, environment: Mapping[str, str]) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches `modelium up` only."""
        self._layout.supervisor_config.write_text(configuration, encoding="utf-8")
        self._layout.socket.unlink(missing_ok=True)
        log = self._layout.logs / "supervisord.out"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", self._config()],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

        def answers_or_ended() -> bool:
            return self.is_running() or process.poll() is not None

        if not until(answers_or_ended, timeout_s=START_TIMEOUT_S) or process.poll() is not None:
            raise DependencyUnavailable("supervisord did not start", f"Its output is in {log}.")

    def _config(self) -> str:
        return str(self._layout.supervisor_config)

    def start(self, name: str) -> None:
        """Have a process started, unless it is running."""
        try:
            self._call("supervisor.startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if not fault.faultString.startswith("ALREADY_STARTED"):
                raise DependencyUnavailable(
                    f"{name} could not be started: {fault.faultString}",
                    f"Its log is {self._layout.logs / f'{name}.log'}.",
                ) from fault

    def states(self) -> dict[str, str]:
        """Each process and its state in supervisord's words: RUNNING, STARTING, BACKOFF, FATAL."""
        return {info["name"]: info["statename"] for info in self.infos()}

    def infos(self) -> list[dict[str, Any]]:
        """What supervisord knows of each process, in starting order; nothing when it is away."""
        try:
            infos: list[dict[str, Any]] = self._call("supervisor.getAllProcessInfo")
        except (*UNREACHABLE, xmlrpc.client.Fault):
            return []
        return infos

    def shut_down(self, timeout_s: float) -> bool:
        """Stop all processes, last started first, and supervisord; whether it ended in time."""
        try:
            pid = int(self._call("supervisor.getPID"))
            self._call("supervisor.shutdown")
        except UNREACHABLE:
            return True
        except xmlrpc.client.Fault:  # another has it shut down already
            return bool(until(lambda: not self.is_running(), timeout_s=timeout_s))
        return bool(until(lambda: _has_ended(pid), timeout_s=timeout_s))

    def _call(self, method: str, *arguments: Any) -> Any:
        """One request; a connection of its own each time, since supervisord may come and go."""
        transport = SupervisorTransport(None, None, f"unix://{self._layout.socket}")
        # The address is not used: the transport knows the socket.
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server, method)(*arguments)


def _has_ended(pid: int) -> bool:
    """Also true for a child of ours that nobody has waited for."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def log_tail(path: Path, lines: int) -> list[str]:
    """The last lines of a log file; none when there is no such file."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 512 * lines))
        return file.read().decode("utf-8", "replace").splitlines()[-lines:]
