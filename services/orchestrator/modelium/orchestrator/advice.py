"""Whose advice counts: the brain's while it answers, else the rules'.

The brain answers a tick by naming its digest. It may leave out one tick when it has nothing to
say; after two without an answer the rules give the advice here, until it answers again.
"""

from collections import deque
from dataclasses import dataclass, field

from modelium.common.events import DecisionMade
from modelium.common.figures import Decision


@dataclass(slots=True)
class _Tick:
    digest: str
    answered: bool = False


@dataclass(slots=True)
class Advice:
    """The advice that counts now, and how old it is; `now_s` is the monotonic clock."""

    brain_expected: bool
    """False: the settings say that there is none."""
    valid_for_s: float
    decisions: tuple[Decision, ...] = ()
    given_at_s: float = 0.0
    _ticks: deque[_Tick] = field(default_factory=lambda: deque(maxlen=2))

    @property
    def brain_leads(self) -> bool:
        """Whether the brain answered one of the last two ticks, or had no chance to yet."""
        if not self.brain_expected:
            return False
        return len(self._ticks) < 2 or any(tick.answered for tick in self._ticks)

    def ticked(self, digest: str) -> None:
        """A tick was published."""
        self._ticks.append(_Tick(digest))

    def answered(self, message: DecisionMade) -> bool:
        """Note a decision of the brain; whether it answers one of the last ticks."""
        fresh = [tick for tick in self._ticks if tick.digest == message.inputs_digest]
        for tick in fresh:
            tick.answered = True
        return bool(fresh) and self.brain_expected

    def follow(self, decisions: tuple[Decision, ...], now_s: float) -> None:
        """From now on these count, and nothing said before."""
        self.decisions = decisions
        self.given_at_s = now_s

    def current(self, now_s: float) -> tuple[Decision, ...]:
        """What counts now; advice that is too old no longer does."""
        return self.decisions if self.age_s(now_s) <= self.valid_for_s else ()

    def age_s(self, now_s: float) -> float:
        """How long ago it was given."""
        return now_s - self.given_at_s
