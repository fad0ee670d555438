"""A system with a second agent of the same settings, and stub engines that can be made to hang."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from modelium.runtime_agent.process_tree import MARKER
from tests.system import System, free_port, wait_until

SECOND: Final = "second_agent"
_SECOND_ID: Final = "second"


class Fleet(System):
    """A `System`; `start_second` after `start`, and again after `kill(SECOND)`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.ports[SECOND] = free_port()

    def start_second(self) -> None:
        """The second agent, until it is ready."""
        self.spawn(
            SECOND,
            [sys.executable, "-m", "modelium.runtime_agent", "--config", str(self.config)],
            MODELIUM_RUNTIME_AGENT__ID=_SECOND_ID,
            MODELIUM_RUNTIME_AGENT__STATE_DIRECTORY=str(self.folder / SECOND),
            MODELIUM_HEALTH__RUNTIME_AGENT_PORT=str(self.ports[SECOND]),
        )
        wait_until(f"{SECOND} is ready", lambda: self.is_ready(SECOND))

    def hang(self, instance: str) -> bool:
        """Let an engine stay healthy and answer nothing more; False if it has just gone."""
        for process in self.engines():
            with suppress(psutil.Error):
                if process.environ().get(MARKER, "").startswith(f"{instance}@"):
                    process.send_signal(signal.SIGUSR1)
                    return True
        return False


def is_of_second(device_id: str) -> bool:
    """Whether it is the second agent that owns it."""
    return device_id.startswith(f"cpu-{_SECOND_ID}-")
