"""How much host memory sleeping engines may take together; decided once, at the agent's start.

Level 1 pins an engine's weights there. What of it is used is the orchestrator's ledger.
"""

from collections.abc import Iterable
from typing import Final

from modelium.common.records import DeviceKind, InstanceState
from modelium.core.sleep_times import HOST_BYTES_PER_WEIGHT_BYTE
from modelium.runtime_agent.journal import Entry

SHARE: Final = 0.5
"""Of the memory that is available. The rest is for loads, whose weights pass through it, and for
the cache of files, without which the next load is read from disk."""


def asleep_bytes(entries: Iterable[Entry]) -> int:
    """What the sleeping engines of an earlier agent hold already."""
    records = [
        e.record for e in entries if e.state is InstanceState.SLEEPING and e.sleep_level == 1
    ]
    weights = sum(record.weight_bytes * len(record.device_ids) for record in records)
    return weights * HOST_BYTES_PER_WEIGHT_BYTE


def budget_bytes(
    configured: int | None, *, kinds: Iterable[DeviceKind], available: int, asleep: int
) -> int:
    """0 where nothing can sleep; `available` is what is left beside what is `asleep` already."""
    if DeviceKind.CUDA not in kinds:
        return 0
    return int((available + asleep) * SHARE) if configured is None else configured
