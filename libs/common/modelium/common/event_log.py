"""The stored facts as a log that can be read from any place: what the bus keeps, for looking at.

Not for services that act on facts: those consume (`bus.Bus.consume`), and lose none by it. Here
every reader has a position of its own, which the server forgets when it leaves.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One stored message; `seq` is its place in the log, and never used again."""

    seq: int
    time: datetime
    subject: str
    source: str
    """Who said it; empty: a message without headers."""
    payload: Any
    """As JSON says it; a text where it is none."""


class EventReader(Protocol):
    """A position in the log."""

    async def next(self) -> Sequence[StoredEvent]:
        """What comes next, at least one; in order, and each once. Waits for as long as it takes.

        Goes on by itself after NATS was away. Where the log has begun anew meanwhile, it is read
        from its beginning.
        """


class EventLog(Protocol):
    """All that the stream of facts keeps."""

    async def position(self) -> int:
        """The place of the newest one; 0: there was never one.

        Raises:
            DependencyUnavailable: NATS is away.
        """

    def reading(self, after: int) -> AbstractAsyncContextManager[EventReader]:
        """Read on behind this place; what is no longer kept is passed over."""

    async def before(self, seq: int | None, *, most: int) -> list[StoredEvent]:
        """Those in the `most` places before this one (None: the newest), the newest first.

        Fewer than `most` where facts were deleted; none: nothing is left there.

        Raises:
            DependencyUnavailable: NATS is away.
        """
