"""Replays in a child process of the lowest priority, within so many seconds of CPU.

Run as a program it is that child: a job on its input, what came of it on its output.
"""

import asyncio
import os
import resource
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from modelium.brain.tuning.job import Done, Job, carried_out
from modelium.common.errors import ModeliumError

LOWEST_PRIORITY: Final = 19


class NotReplayed(ModeliumError):
    """A round came to nothing; the reason is for people."""


class TookTooLong(NotReplayed):
    """It was ended since it took more CPU than it may."""


async def replay(job: Job, *, cpu_seconds: int) -> Done:
    """What came of it; cancelled, it leaves no process behind.

    Raises:
        NotReplayed: nothing, and why.
    """
    command = (sys.executable, "-m", __name__, str(cpu_seconds))
    try:
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    except OSError as none:  # no memory or no process left: of all, this can wait
        raise NotReplayed(f"the replay cannot be started: {none.strerror or none}") from none
    try:
        said, _ = await child.communicate(job.model_dump_json().encode())
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        code = await child.wait()
    return done(said, code, cpu_seconds)


def done(said: bytes, code: int, cpu_seconds: int) -> Done:
    """What a child said that has ended with this code.

    Raises:
        NotReplayed: nothing that is of use, and why.
    """
    if code == -signal.SIGXCPU:
        raise TookTooLong(f"the replay took more than {cpu_seconds} s of CPU")
    try:
        return Done.model_validate_json(said)
    except ValidationError as wrong:
        raise NotReplayed(f"the replay ended with code {code}") from wrong


def main() -> None:
    """The child."""
    cpu_seconds = int(sys.argv[1])
    os.nice(LOWEST_PRIORITY)
    # Without a core file; killed a little later where the first signal does not do.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    job = Job.model_validate_json(sys.stdin.buffer.read())
    came_of_it = carried_out(job).model_copy(update={"spent_ratio": _cpu_s() / cpu_seconds})
    sys.stdout.write(came_of_it.model_dump_json())


def _cpu_s() -> float:
    """What this process has taken until now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
