"""How fast a queue empties, by those that have left it for an engine. Pure.

Only times at which others waited behind count: a queue that is empty goes at nobody's speed. What
was learned holds until it is used again, for a model that is loaded anew is as fast as before.
"""

from collections import deque
from dataclasses import dataclass, field

LOOKED_AT = 64
"""So many of the last say how fast it goes; a burst when a model is loaded is soon forgotten."""
ENOUGH = 8
"""So many are needed to replace what was learned before."""


@dataclass(slots=True)
class Flow:
    """One model's queue; times are monotonic seconds."""

    per_s: float = 0.0
    """0: not known."""
    _went_s: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))

    def went(self, now_s: float, *, behind: int) -> None:
        """One has gone to an engine, and `behind` still wait."""
        self._went_s.append(now_s)
        took_s = now_s - self._went_s[0]
        if took_s > 0 and (len(self._went_s) >= ENOUGH or not self.per_s):
            self.per_s = (len(self._went_s) - 1) / took_s
        if not behind:
            self._went_s.clear()

    def takes_s(self, waiting: int) -> float:
        """Until as many have gone; 0 where that is not known."""
        return waiting / self.per_s if self.per_s else 0.0
