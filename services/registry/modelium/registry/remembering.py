"""Keeps what was measured of engines and tells the orchestrator; its meaning is in `memory.py`."""

from typing import Final

import structlog

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.errors import Conflict, RetryLater
from modelium.common.events import MemoryMeasured
from modelium.common.records import MemoryRecord
from modelium.common.store import Store
from modelium.registry.memory import Told, after, id_of

KEPT: Final = 1000
"""Figures; beyond these, the one that was not changed for longest gives way to a new one."""
_ATTEMPTS: Final = 5

log = structlog.get_logger()


async def remember(told: Told, *, store: Store, bus: Bus, clock: Clock) -> None:
    """Note what it says of memory, if anything; told twice equals once.

    Raises:
        RetryLater: somebody else kept saving in between.
    """
    memory_id = id_of(told)
    if memory_id is None:
        return
    for _ in range(_ATTEMPTS):
        known = await store.memory.get(memory_id)
        wanted = after(known, told)
        if wanted is None or wanted == known:
            return
        try:
            saved = await store.memory.save(wanted)
        except Conflict:
            continue
        _log(saved)
        await bus.publish(MemoryMeasured(record=saved, occurred_at=clock.now()))
        return await _forget_oldest(store) if known is None else None
    raise RetryLater(f"the figures of {memory_id} change all the time")


async def _forget_oldest(store: Store) -> None:
    kept = sorted(await store.memory.all(), key=lambda record: str(record.updated_at))
    for record in kept[: max(0, len(kept) - KEPT)]:
        await store.memory.delete(record.memory_id)


def _log(saved: MemoryRecord) -> None:
    log.info(
        "memory.measured",
        memory_id=saved.memory_id,
        loads=saved.loads,
        last_bytes=saved.last_bytes,
        highest_bytes=saved.highest_bytes,
        outgrown_bytes=saved.outgrown_bytes,
    )
