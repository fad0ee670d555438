"""Which model begins to be used after which, and who is expected because another has begun. Pure.

A model begins when a pause of `LONG_S` is over; its pauses are those of `habit.py`, from the same
figures. B follows a begin of A if it begins within `FOLLOWS_S`. What is kept of each model is how
often it began and who followed, newer begins counting more, for no more than `MOST_FOLLOWERS`: the
memory grows with the models and not with their pairs.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from modelium.core.habit import LONG_S

FOLLOWS_S: Final = 120.0
"""Who begins later than this after another does not follow it."""
FRESH_S: Final = 30.0
"""For so long after a begin its followers are expected; longer than between two ticks, by default.
Nobody is loaded early while the one that began is being loaded itself."""
KEPT: Final = 0.95
"""Of each count, whenever its model begins: what was 60 begins ago counts a twentieth."""
FEWEST: Final = 3.0
"""Times that somebody followed make an order of things."""
UNSURE: Final = 3.0
"""Begins that nobody followed, counted beside those that were seen."""
MOST_FOLLOWERS: Final = 32
"""Of one model; for one more, the one is forgotten that followed least often."""
MOST_RECENT: Final = 64
"""Begins that may still be followed. Where more models begin within `FOLLOWS_S` than this, hardly
anything says which of them another follows."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Somebody will soon use a model, since another has just begun."""

    after: str
    """The model that began."""
    chance: float
    since_s: float = field(default=0.0, compare=False)
    """How long ago that was."""


@dataclass(slots=True)
class _Known:
    """What followed the begins of one model, newer ones counting more."""

    begins: float = 0.0
    followers: dict[str, float] = field(default_factory=dict)

    def began(self) -> None:
        self.begins = self.begins * KEPT + 1
        for model in self.followers:
            self.followers[model] *= KEPT

    def followed_by(self, model: str) -> None:
        if model not in self.followers and len(self.followers) >= MOST_FOLLOWERS:
            rarest = min(self.followers, key=self.followers.__getitem__)
            if self.followers[rarest] >= 1:
                return  # all others have come since the last begin, and before this one
            del self.followers[rarest]
        self.followers[model] = self.followers.get(model, 0.0) + 1

    def likely(self) -> Iterator[tuple[str, float]]:
        for model, times in self.followers.items():
            if times >= FEWEST:
                yield model, times / (self.begins + UNSURE)


@dataclass(slots=True)
class _Begin:
    model: str
    at_s: float
    followers: set[str] = field(default_factory=set)
    """Each counts once for this begin, however often it begins."""


@dataclass(slots=True)
class Transitions:
    """The memory of all models' begins; mutable."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _recent: deque[_Begin] = field(default_factory=lambda: deque(maxlen=MOST_RECENT))

    def used_after(self, model: str, pause_s: float, at_s: float) -> None:
        """A pause of the model was over then; to be told about in the order of time.

        A begin that is told of a little late counts as one that came at once.
        """
        if pause_s < LONG_S:
            return
        while self._recent and at_s - self._recent[0].at_s > FOLLOWS_S:
            self._recent.popleft()
        for begin in self._recent:
            if begin.model != model and model not in begin.followers:
                begin.followers.add(model)
                self._known[begin.model].followed_by(model)
        self._known.setdefault(model, _Known()).began()
        self._recent.append(_Begin(model, at_s))

    def expected(self, now_s: float) -> dict[str, Expected]:
        """Model to why it is expected, for those that follow one which began a moment ago."""
        best: dict[str, Expected] = {}
        for begin in reversed(self._recent):
            if now_s - begin.at_s > FRESH_S:
                break
            for model, chance in self._known[begin.model].likely():
                better = model not in best or chance > best[model].chance
                if better and model not in begin.followers:
                    best[model] = Expected(begin.model, chance, now_s - begin.at_s)
        return best

    def keep_only(self, models: Collection[str]) -> None:
        """Forget all others."""
        for gone in [model for model in self._known if model not in models]:
            del self._known[gone]
        for known in self._known.values():
            for gone in [model for model in known.followers if model not in models]:
                del known.followers[gone]
        kept = [begin for begin in self._recent if begin.model in models]
        if len(kept) < len(self._recent):
            self._recent = deque(kept, maxlen=MOST_RECENT)
