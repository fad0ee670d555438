"""Whether an instance gets requests: one breaker for each.

    closed --failed--> open --its time is over--> half open --answered--> closed
                        ^                             |
                        +-----------failed------------+

Pure. An open breaker stays so for `FIRST_OPEN_S`, doubled with each failed probe up to
`LONGEST_OPEN_S`; a half-open one lets one request through, the probe, and the next when that has
ended or has told nothing for `PROBE_S`. What becomes of a request that was sent before the breaker
opened says nothing new. Times are monotonic seconds.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

FIRST_OPEN_S: Final = 1.0
LONGEST_OPEN_S: Final = 30.0
PROBE_S: Final = 1.0
"""An answer may take minutes to begin; nobody should have to wait for that."""
_MOST_DOUBLINGS: Final = 10


class BreakerState(IntEnum):
    """The number is what /metrics shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(slots=True)
class Breaker:
    """See the module."""

    openings: int = 0
    """In a row; 0: closed."""
    era: int = 0
    """Grows with every opening: a request belongs to the era in which it was sent."""
    open_until_s: float = 0.0
    next_probe_s: float = 0.0

    def state(self, now_s: float) -> BreakerState:
        """Open, half open or closed now."""
        if not self.openings:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self.open_until_s else BreakerState.HALF_OPEN

    def permits(self, now_s: float) -> bool:
        """Whether a request may be sent now."""
        return not self.openings or now_s >= self.next_probe_s

    def sent(self, now_s: float) -> int:
        """A request that was permitted is sent; its era, for what becomes of it."""
        if self.openings:
            self.next_probe_s = now_s + PROBE_S
        return self.era

    def succeeded(self, era: int) -> None:
        """The engine has answered a request of this era."""
        if era == self.era:
            self.openings = 0

    def failed(self, era: int, now_s: float) -> None:
        """The engine was not reached, or has gone without an answer."""
        if era != self.era:
            return
        open_s = FIRST_OPEN_S * 2.0 ** min(self.openings, _MOST_DOUBLINGS)
        self.open_until_s = self.next_probe_s = now_s + min(LONGEST_OPEN_S, open_s)
        self.openings += 1
        self.era += 1

    def abandoned(self, era: int) -> None:
        """A request of this era has ended without saying anything of the engine."""
        if era == self.era:
            self.next_probe_s = self.open_until_s
