"""The one error boundary: where any exception becomes a value that somebody decides about.

Nothing else in Modelium says `except Exception`. The bus asks it for the end of a handler
(`delivery.py` decides what becomes of the message), the shell for the end of a service.
"""

from collections.abc import Awaitable


async def attempt(work: Awaitable[object]) -> Exception | None:
    """Await `work`; the exception it ended with, or None. Cancellation goes through."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 the boundary itself
        return error
    return None
