"""How a model is used: the pauses between its uses, and what they say about the next one. Pure.

The more is known of a model's own pauses, the more they count; of a model that is not known, one
that has been unused for a time is taken to stay so for as long again, which is recency.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

PER_OCTAVE: Final = 3
BINS: Final = 48
"""Up to 2^16 s, which is 18 hours; longer pauses are in the last one."""
KEPT: Final = 0.97
"""Of each count, whenever a pause is added: what was a hundred pauses ago counts a twentieth."""
RECENCY_WEIGHT: Final = 2.0
"""How many pauses recency counts for beside those of the model's own that are longer."""
LONG_S: Final = 60.0
RECENT: Final = 16
"""So many of the last pauses that were longer are kept as they were: the bins are too wide to tell
when a model comes that is called by a clock."""
FEWEST: Final = 4
"""Pauses that make a habit."""
EDGES_S: Final = (0.0, *(2 ** (number / PER_OCTAVE) for number in range(1, BINS + 1)))
SHORTEST_S: Final = 1.0
"""Nobody tells pauses more exactly than this."""
RATE_WINDOW_S: Final = 60.0
"""The rate is an average in which a request counts e times less for each window since."""


@dataclass(frozen=True)
class Habit:
    """A histogram of a model's pauses with logarithmic bins; newer ones count more."""

    counts: tuple[float, ...] = (0.0,) * BINS
    recent_s: tuple[float, ...] = ()
    """The last of more than `LONG_S`, oldest first."""

    def after(self, pause_s: float) -> "Habit":
        """One more pause is over."""
        counts = [count * KEPT for count in self.counts]
        counts[_bin(pause_s)] += 1
        recent_s = (*self.recent_s, pause_s)[-RECENT:] if pause_s > LONG_S else self.recent_s
        return Habit(tuple(counts), recent_s)

    @cached_property
    def shorter(self) -> tuple[float, ...]:
        """How many pauses there are in all bins before each, and in all."""
        return tuple(accumulate(self.counts, initial=0.0))


@dataclass(slots=True)
class Rate:
    """Requests per second, newer ones counting more; mutable."""

    weight: float = 0.0
    at_s: float = 0.0

    def add(self, requests: int, now_s: float) -> None:
        """That many were made."""
        self.weight = self._decayed(now_s) + requests
        self.at_s = now_s

    def per_s(self, now_s: float) -> float:
        """As of now."""
        return self._decayed(now_s) / RATE_WINDOW_S

    def _decayed(self, now_s: float) -> float:
        return self.weight * math.exp(-(now_s - self.at_s) / RATE_WINDOW_S)


def next_use_s(habit: Habit | None, unused_s: float) -> float:
    """The median of the time until the next use, of a model that was not used for `unused_s`."""
    since_s = max(SHORTEST_S, unused_s)
    if habit is None:
        return since_s
    first = _bin(since_s)
    shorter = habit.shorter
    over = shorter[first + 1] - _longer(habit, since_s, first)  # as many pauses were shorter
    half = (shorter[BINS] + over + RECENCY_WEIGHT) / 2
    # Recency adds less than its weight, so it is none of the edges before.
    edge = max(first + 1, bisect_left(shorter, half - RECENCY_WEIGHT, first + 1, BINS) - 1)
    low_s = since_s
    for high_s, passed in zip(EDGES_S[edge:BINS], shorter[edge:], strict=False):
        passed += RECENCY_WEIGHT * (1 - since_s / high_s)
        if passed >= half:
            return low_s + (high_s - low_s) * (half - over) / (passed - over) - since_s
        low_s, over = high_s, passed
    return max(EDGES_S[BINS], 2 * since_s) - since_s


def soon_chance(habit: Habit | None, unused_s: float, within_s: float) -> float:
    """How likely it is used within that time, by its own long pauses only; 0: no habit is known.

    It says nothing of a model that was used within the last `LONG_S`.
    """
    if habit is None or len(habit.recent_s) < FEWEST or unused_s < LONG_S:
        return 0.0
    longer_s = [pause_s for pause_s in habit.recent_s if pause_s > unused_s]
    soon = sum(pause_s <= unused_s + within_s for pause_s in longer_s)
    return soon / (len(longer_s) + 1)  # it may as well never come again


def _longer(habit: Habit, since_s: float, first: int) -> float:
    """Pauses of the bin that are longer; they are spread evenly over it."""
    low_s, high_s = EDGES_S[first], EDGES_S[first + 1]
    return habit.counts[first] * max(0.0, high_s - since_s) / (high_s - low_s)


def _bin(pause_s: float) -> int:
    return min(BINS - 1, int(PER_OCTAVE * math.log2(max(SHORTEST_S, pause_s))))
