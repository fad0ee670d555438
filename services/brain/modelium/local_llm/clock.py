"""The only place here that reads the time."""

import time


def monotonic() -> float:
    """Seconds that only ever grow."""
    return time.monotonic()
