"""How long a load or a wake is expected to take; pure."""

from collections.abc import Iterable
from typing import Final

from modelium.common.records import ModelRecord

DEFAULT_LOAD_S: Final = 30.0
"""Expected duration of a load where none was measured."""
DEFAULT_WAKE_S: Final = 6.0
"""Large models wake in 3 to 6 s."""


def typical_load_s(records: Iterable[ModelRecord]) -> float:
    """A middling one of the loads that were measured: of a model that was never loaded here."""
    ordered = sorted(record.load_s for record in records if record.load_s)
    return ordered[len(ordered) // 2] if ordered else DEFAULT_LOAD_S


def expected_load_s(record: ModelRecord, typical_s: float) -> float:
    """How long its load takes, by the last one; of an engine that sleeps or is woken: its wake."""
    load_s = record.load_s or typical_s
    return record.wake_s or min(load_s, DEFAULT_WAKE_S) if record.sleep_level else load_s
