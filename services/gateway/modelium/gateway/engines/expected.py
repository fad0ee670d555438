"""How long a load or a wake is expected to take, and what is left of it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modelium.common.records import ModelRecord

DEFAULT_LOAD_S: Final = 30.0
"""Expected duration of a load where none was measured."""
DEFAULT_WAKE_S: Final = 6.0
"""Large models wake in 3 to 6 s."""
_LEAST_LEFT: Final = 0.1
"""Of what takes about so long as it took before: it may end later as well as sooner."""


def left_s(expected_s: float, passed_s: float) -> float:
    """What is left of something that is expected to take so long, when so much has passed.

    It becomes less until it is late by a fifth, and never nothing. Then it is taken to need half
    as long again as it is late, so that a client does not come back in vain every second.
    """
    late_s = passed_s - expected_s
    return max(-late_s, _LEAST_LEFT * expected_s, late_s / 2)


@dataclass(frozen=True, slots=True)
class Turn:
    """What lies between two loads on a device: its engine serves for a while, drains and stops."""

    takes_s: float = 0.0
    waited_since_s: float | None = None
    """When the first came, of those who wait for a load to begin; None: nobody waits."""

    def left_s(self, began_s: float, now_s: float) -> float:
        """Until a device may begin a load that was done with its last one at `began_s`."""
        if self.waited_since_s is None:
            return self.takes_s
        return left_s(self.takes_s, now_s - max(began_s, self.waited_since_s))


NO_TURN: Final = Turn()


def typical_load_s(records: Iterable[ModelRecord]) -> float:
    """A middling one of the loads that were measured: of a model that was never loaded here."""
    ordered = sorted(record.load_s for record in records if record.load_s)
    return ordered[len(ordered) // 2] if ordered else DEFAULT_LOAD_S


def expected_load_s(record: ModelRecord, typical_s: float) -> float:
    """How long its load takes, by the last one; of an engine that sleeps or is woken: its wake."""
    load_s = record.load_s or typical_s
    return record.wake_s or min(load_s, DEFAULT_WAKE_S) if record.sleep_level else load_s
