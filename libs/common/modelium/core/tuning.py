"""Whether other policies would have served the recent demand clearly better. Pure.

Each candidate differs from what is in force by one step of one number, so a change is small, is
seen to have helped before the next, and can be told in a sentence.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from modelium.common.settings_policies import Policies

CURRENT: Final = "current"
LRU: Final = "lru"
CLEARLY: Final = 0.05
"""Share of the mean wait that a candidate must save: replays differ by a few percent for nothing,
as when only the moments change at which is decided."""
WORSE: Final = 0.05
"""No candidate takes over that is worse by more than this share: than LRU in its mean wait, over
all or in a half, and than LRU or what is in force in the wait of the unluckiest hundredth."""
ENOUGH_COLD: Final = 100
"""Requests that had to wait, fewer than which prove nothing."""
ROUNDS: Final = 2
"""In a row that a candidate must win."""


@dataclass(frozen=True, slots=True)
class _Knob:
    """A number that may be halved and doubled, within bounds."""

    policy: str
    least: float
    most: float


KNOBS: Final = (
    _Knob("displace_after_seconds", 10.0, 120.0),
    _Knob("min_residency_seconds", 1.0, 60.0),
)
TUNED: Final = frozenset(knob.policy for knob in KNOBS)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay of the recent demand cost under one policy."""

    mean_wait_s: float
    """Over all requests."""
    older_wait_s: float
    newer_wait_s: float
    """The mean of each half of the time."""
    p99_wait_s: float
    """What one request of a hundred waited longer than."""
    cold: int
    """Requests that had to wait."""
    too_late: int = 0
    """Those that waited for so long that the gateway would have refused them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who has won, if anybody, and why, in a sentence with the figures."""

    winner: str
    """A name of `candidates`; empty: nothing changes."""
    reason: str


def candidates(current: Policies, settled: Collection[str]) -> dict[str, Policies]:
    """By name, without the current ones; `settled` are policies that an operator has set."""
    return {
        name_of({name: value}): current.model_copy(update={name: value})
        for name, value in _steps(current)
        if name not in settled
    }


def name_of(values: Mapping[str, float]) -> str:
    """Of the candidate in which these policies have other values."""
    return " ".join(f"{name}={value:g}" for name, value in values.items())


def _steps(current: Policies) -> Iterator[tuple[str, float]]:
    for knob in KNOBS:
        now = getattr(current, knob.policy)
        for value in (now / 2, now * 2):
            bounded = min(knob.most, max(knob.least, value))
            if (value < now) == (bounded < now) and bounded != now:
                yield knob.policy, bounded


def verdict(replayed: Mapping[str, Replayed]) -> Verdict:
    """Of `CURRENT`, `LRU` and candidates; who wins must not lose either half."""
    current, lru = replayed[CURRENT], replayed[LRU]
    if current.cold < ENOUGH_COLD:
        return Verdict("", f"{current.cold} requests had to wait, too few to tell")
    names = [name for name in replayed if name not in (CURRENT, LRU)]
    if not names:
        return Verdict("", "every policy that could be tuned is set by an operator")
    by_wait = sorted(names, key=lambda name: (replayed[name].mean_wait_s, name))
    for name in by_wait:
        if not _objection(replayed[name], current, lru):
            return Verdict(name, _figures(name, replayed))
    best = by_wait[0]
    objection = _objection(replayed[best], current, lru)
    return Verdict("", f"{objection}: {_figures(best, replayed)}")


def _objection(one: Replayed, current: Replayed, lru: Replayed) -> str:
    """Why it does not take over; empty: it may."""
    if one.mean_wait_s > (1 - CLEARLY) * current.mean_wait_s:
        return f"nothing was {CLEARLY:.0%} better"
    if one.older_wait_s > current.older_wait_s or one.newer_wait_s > current.newer_wait_s:
        return "the best was better in one half only"
    if one.too_late > current.too_late:
        more = f"{one.too_late} requests instead of {current.too_late}"
        return f"by the best {more} would have been refused"
    if one.p99_wait_s > (1 + WORSE) * current.p99_wait_s:
        return "by the best the unluckiest would have waited longer than as it is"
    if one.p99_wait_s > (1 + WORSE) * lru.p99_wait_s:
        return "by the best the unluckiest would have waited longer than by LRU"
    return "the best was worse than LRU" if _is_worse(one, lru) else ""


def _is_worse(one: Replayed, lru: Replayed) -> bool:
    pairs = (
        (one.mean_wait_s, lru.mean_wait_s),
        (one.older_wait_s, lru.older_wait_s),
        (one.newer_wait_s, lru.newer_wait_s),
    )
    return any(mine > (1 + WORSE) * its for mine, its in pairs)


def _figures(best: str, replayed: Mapping[str, Replayed]) -> str:
    them = ((f"with {best}", best), ("as it is", CURRENT), ("by LRU", LRU))
    means = ", ".join(f"{replayed[name].mean_wait_s:.2f} s {how}" for how, name in them)
    p99s = ", ".join(f"{replayed[name].p99_wait_s:.2f}" for _, name in them)
    return f"mean wait {means}; p99 {p99s} s"


@dataclass(frozen=True, slots=True)
class Streak:
    """How often in a row the same has won; belongs to the state of whoever tunes."""

    winner: str = ""
    rounds: int = 0

    def after(self, won: Verdict) -> "Streak":
        """One more round is over."""
        if not won.winner:
            return Streak()
        return Streak(won.winner, self.rounds + 1 if won.winner == self.winner else 1)

    @property
    def is_enough(self) -> bool:
        """Whether the winner takes over."""
        return self.rounds >= ROUNDS
