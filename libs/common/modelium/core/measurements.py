"""What was measured of all engines, and what it says of a model's next load. Pure.

A figure holds for the same files, the same engine and version, and the same kind of device. Where
there is none, other models that the engine has run there say what it takes beside their weights.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from modelium.common.records import DeviceKind, MemoryRecord

QUANTILE: Final = 0.9
"""Of what other models showed: one that was measured at a bad moment is not to decide for all."""
LIKE: Final = 0.5
"""A model with less than this share of the weights says too little about a bigger one."""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

Place = tuple[str, DeviceKind]
"""The kind of engine, without its version, and the kind of device."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model's files on one kind of device; without the key-value cache."""

    loads: int = 0
    highest_bytes: int = 0
    older_bytes: int = 0
    """The highest by other versions of the engine."""
    outgrown_bytes: int = 0
    overheads: tuple[tuple[int, int], ...] = ()
    """Of all models that this engine has run there: their weights, and what it took beside these;
    the lowest first."""

    def learned_overhead(self, weight_bytes: int = 0) -> int | None:
        """What models at least about as big have shown; None: there were none."""
        shown = [over for weights, over in self.overheads if weights >= LIKE * weight_bytes]
        return shown[math.ceil(QUANTILE * len(shown)) - 1] if shown else None


NOTHING: Final = Known()


class Measurements:
    """All figures, looked up by files; made anew when one changes."""

    def __init__(self, records: Iterable[MemoryRecord] = ()) -> None:
        self._records = {record.memory_id: record for record in records}
        self._of_files: defaultdict[tuple[str, Place], list[MemoryRecord]] = defaultdict(list)
        newest: dict[Place, MemoryRecord] = {}
        for record in sorted(self._records.values(), key=_updated):
            place = _place(record)
            self._of_files[record.fingerprint, place].append(record)
            if record.loads:
                newest[place] = record
        self._engines = {place: record.engine for place, record in newest.items()}
        self._overheads = {
            place: self._shown(place, engine) for place, engine in self._engines.items()
        }
        self._known: dict[tuple[str, Place], Known] = {}
        """Answers that were given before: every decision asks for every model."""

    def with_record(self, record: MemoryRecord) -> "Measurements":
        """These and a newer one; an older version than the one known changes nothing."""
        known = self._records.get(record.memory_id)
        if known is not None and known.version >= record.version:
            return self
        return Measurements((self._records | {record.memory_id: record}).values())

    def known(self, fingerprint: str, runtime: str, kind: DeviceKind) -> Known:
        """What counts for the next load: the engine there is the one that was measured last."""
        key = fingerprint, (runtime, kind)
        if key not in self._known:
            self._known[key] = self._look_up(*key)
        return self._known[key]

    def _look_up(self, fingerprint: str, place: Place) -> Known:
        engine = self._engines.get(place, "")
        mine = self._of_files.get((fingerprint, place), [])
        now = [record for record in mine if record.engine == engine]
        return Known(
            loads=sum(record.loads for record in now),
            highest_bytes=max((record.highest_bytes for record in now), default=0),
            older_bytes=max((r.highest_bytes for r in mine if r.engine != engine), default=0),
            outgrown_bytes=max((record.outgrown_bytes for record in mine), default=0),
            overheads=self._overheads.get(place, ()),
        )

    def _shown(self, place: Place, engine: str) -> tuple[tuple[int, int], ...]:
        shown = [
            (record.weight_bytes, max(0, record.highest_bytes - record.weight_bytes))
            for record in self._records.values()
            if record.loads and record.engine == engine and _place(record) == place
        ]
        return tuple(sorted(shown, key=lambda pair: pair[1]))


def _updated(record: MemoryRecord) -> datetime:
    return record.updated_at or _LONG_AGO


def _place(record: MemoryRecord) -> Place:
    return record.engine.partition("-")[0], record.device_kind
