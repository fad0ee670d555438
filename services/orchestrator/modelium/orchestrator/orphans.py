"""Engines that belong to no model, and how long that was so. Pure but for its own memory.

An engine is an orphan for a moment whenever its end is announced before its agent's next
heartbeat, and until its record is read; only one that stays an orphan is stopped.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from modelium.common.records import Instance
from modelium.orchestrator.placement_state import PlacementState

SUPERSEDED_FOR_S: Final = 5.0
"""Its model is known, and shows another engine or none."""
UNKNOWN_FOR_S: Final = 60.0
"""Nothing is known of its model: a store that was lost is being filled again."""


@dataclass(slots=True)
class Orphans:
    """Since when each engine belongs to no model."""

    since_s: dict[str, float] = field(default_factory=dict)

    def to_stop(
        self, orphans: Iterable[Instance], state: PlacementState, now_s: float
    ) -> list[Instance]:
        """Those that have been orphans for too long and were not told to stop yet."""
        now = {orphan.instance_id: orphan for orphan in orphans}
        self.since_s = {key: self.since_s.get(key, now_s) for key in now}
        return [
            orphan
            for key, orphan in now.items()
            if key not in state.stopping and now_s - self.since_s[key] >= _patience_s(state, orphan)
        ]


def _patience_s(state: PlacementState, orphan: Instance) -> float:
    return SUPERSEDED_FOR_S if orphan.model in state.records else UNKNOWN_FOR_S
