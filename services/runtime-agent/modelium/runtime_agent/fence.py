"""Commands of an orchestrator that another has taken over from, told by their epoch, and refused.

The highest epoch that was heard, in a command or from the orchestrator that leads, is kept on disk:
the next agent knows it too. A command without an epoch is nobody's in particular, and carried out.
"""

from functools import partial
from pathlib import Path

import structlog

from modelium.common.bus import Handler, Handlers
from modelium.common.errors import Reject
from modelium.common.events import Command
from modelium.runtime_agent.small_files import note

log = structlog.get_logger()


class Fence:
    """Remembers the newest orchestrator; `path` is a file with its epoch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest = _read(path)

    async def heard(self, epoch: int) -> None:
        """An orchestrator of this epoch leads, or has led."""
        if epoch > self._newest:
            self._newest = epoch
            await note(self._path, f"{epoch}\n")

    async def admit(self, command: Command) -> None:
        """Let it through, unless its sender was replaced.

        Raises:
            Reject: by an orchestrator of a higher epoch.
        """
        if command.epoch is None:
            return
        if command.epoch < self._newest:
            log.warning(
                "command.refused",
                command=type(command).__name__,
                instance_id=command.instance_id,
                epoch=command.epoch,
                newest_epoch=self._newest,
            )
            raise Reject(
                f"its orchestrator (epoch {command.epoch}) was replaced (epoch {self._newest}); "
                f"if that is wrong, remove {self._path} and start the agent again"
            )
        await self.heard(command.epoch)


def fenced(handlers: Handlers, fence: Fence) -> Handlers:
    """The same handlers of commands, for those that `fence` admits."""
    return {kind: partial(_admitted, handler, fence) for kind, handler in handlers.items()}


async def _admitted(handler: Handler, fence: Fence, command: Command) -> None:
    await fence.admit(command)
    await handler(command)


def _read(path: Path) -> int:
    """A file that was damaged says nothing."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0
