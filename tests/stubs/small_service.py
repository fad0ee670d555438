"""A service that does as little as possible, for tests of the shell; `argv[1]` says how it ends."""

import asyncio
import sys

from modelium.common.errors import DependencyUnavailable, ModeliumError
from modelium.common.events import ModelRequested
from modelium.common.service import Shell, run


async def build(shell: Shell) -> None:
    """Fail as asked, or answer every message until stopped."""
    match ending:
        case "bug":
            shell.task("buggy", fail(RuntimeError("a bug in a task")))
        case "missing":
            shell.task("missing", fail(DependencyUnavailable("docker is missing", "Install it")))
        case "wrong":
            raise ModeliumError("wrong from the start")
        case "stubborn":
            shell.task("stubborn", never_end())
        case _:
            shell.resources.callback(sys.stderr.write, "resource closed\n")
            shell.task("consume", shell.bus.consume("small", {ModelRequested: on_requested}))


async def on_requested(message: ModelRequested) -> None:
    """Say that it came."""
    sys.stderr.write(f"got {message.model}\n")
    sys.stderr.flush()


async def fail(error: Exception) -> None:
    """End a task with `error`."""
    raise error


async def never_end() -> None:
    """Refuse to be cancelled."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            sys.stderr.write("not yet\n")
            sys.stderr.flush()


if __name__ == "__main__":
    ending = sys.argv.pop(1)
    run("watcher", build)
