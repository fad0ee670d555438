"""How many files and connections this process may have open."""

import resource
from contextlib import suppress
from typing import Final

KEPT_BACK: Final = 200
"""For logs, NATS, Redis, and connections to engines that are kept."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, as Go's programs do; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems report a hard limit that they refuse
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


def clients_within(limit: int) -> int:
    """How many clients there may be when each may need a connection to an engine as well."""
    return max(1, (limit - KEPT_BACK) // 2)
