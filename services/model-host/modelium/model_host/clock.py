"""The only place that reads the time."""

import time


def monotonic() -> float:
    """Seconds since some moment; it never goes back."""
    return time.monotonic()
