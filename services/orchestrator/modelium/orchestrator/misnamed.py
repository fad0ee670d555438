"""Names in `always_loaded` that belong to no model: misspelt, or not dropped yet.

Told once, and not before the watcher had time to see the folders. The model may come later.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

MISSING_AFTER_S: Final = 20.0
"""How long a model may take to be known after a start."""


@dataclass(slots=True)
class Misnamed:
    """Remembers since when a name is nobody's, and which were told."""

    names: Collection[str]
    missing_since_s: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def find(self, known: Collection[str], now_s: float) -> list[str]:
        """Those that are to be told now."""
        missing = {name for name in self.names if name not in known}
        self.told &= missing
        self.missing_since_s = {n: self.missing_since_s.get(n, now_s) for n in missing}
        overdue = {n for n, s in self.missing_since_s.items() if now_s - s >= MISSING_AFTER_S}
        fresh = sorted(overdue - self.told)
        self.told.update(fresh)
        return fresh
