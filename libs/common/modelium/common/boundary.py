"""The one error boundary: where any exception becomes a value that somebody decides about.

Nothing else in Modelium says `except Exception`. The bus asks it for the end of a handler
(`delivery.py` decides what becomes of the message), the shell for the end of a service.
Cancellation is never swallowed, here or by a library that is called within `cancellable`.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager


async def attempt(work: Awaitable[object]) -> Exception | None:
    """Await `work`; the exception it ended with, or None. Cancellation goes through."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 the boundary itself
        return error
    return None


@contextmanager
def cancellable() -> Iterator[None]:
    """Raise a cancellation that came during the block and was lost there.

    `asyncio.wait_for` loses one on Python 3.11 when it comes together with the result; nats-py and
    redis are built on it. A task that was being cancelled before may go on cleaning up.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
