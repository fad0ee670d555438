"""Whether and where a model serves: what this gateway knows of every model.

Pure. Fed with records by `model_updates.py`; read by the hot path, which therefore needs
neither NATS nor Redis. Which instance a request gets is `dispatch.py`'s, who waits `holding.py`'s.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from modelium.common.close_names import closest
from modelium.common.records import ModelRecord, ModelState
from modelium.gateway.engines.expected import (
    NO_TURN,
    Turn,
    expected_load_s,
    left_s,
    typical_load_s,
)
from modelium.gateway.engines.outcomes import (
    UNKNOWN,
    Failed,
    Outcome,
    Refused,
    Route,
    Unknown,
    Unplaceable,
    Waiting,
    outcome_of,
)


@dataclass(slots=True)
class _Entry:
    record: ModelRecord
    outcome: Outcome
    since_s: float


@dataclass
class RouteTable:
    """The newest known record of every model. Times are monotonic seconds."""

    _entries: dict[str, _Entry] = field(default_factory=dict)
    _with_engine: dict[str, _Entry] = field(default_factory=dict)
    """The few of them that hold devices."""
    _aliases: dict[str, str] = field(default_factory=dict)
    """Further names, and the models that are served under them too."""
    _typical_s: float | None = None
    """How long loads take here; None: to be looked at again."""
    _loaded_s: dict[str, float] = field(default_factory=dict)
    """Device to when a load on it has ended last."""
    _free_at: tuple[float, Turn] | None = None
    _free_in_s: list[float] = field(default_factory=list)

    def apply(self, record: ModelRecord, now_s: float) -> bool:
        """Take over `record` unless it is older than the known one; whether anything changed.

        A lower version that was saved later is newer: its store has lost its data and begun again.
        """
        known = self._entries.get(record.model)
        if known is not None and not _newer(record, known.record):
            return False
        since_s = now_s
        if known is not None and known.record.state is record.state:
            since_s = known.since_s
        elif known is not None and _loads(known):
            self._loaded_s |= dict.fromkeys(known.record.device_ids, now_s)
        if known is None or known.record.load_s != record.load_s:
            self._typical_s = None
        entry = self._entries[record.model] = _Entry(record, outcome_of(record), since_s)
        self._note_aliases(record)
        self._free_at = None
        self._with_engine.pop(record.model, None)
        if record.device_ids:
            self._with_engine[record.model] = entry
        return True

    def forget(self, model: str) -> bool:
        """Drop a model; whether it was known."""
        self._free_at, self._typical_s = None, None
        self._with_engine.pop(model, None)
        self._drop_aliases(model)
        return self._entries.pop(model, None) is not None

    def _note_aliases(self, record: ModelRecord) -> None:
        about = record.descriptor
        wanted = about.overrides.aliases if about and about.overrides else ()
        if wanted or record.model in self._aliases.values():
            self._drop_aliases(record.model)
            self._aliases |= dict.fromkeys(wanted, record.model)

    def _drop_aliases(self, model: str) -> None:
        for alias in [alias for alias, of in self._aliases.items() if of == model]:
            del self._aliases[alias]

    def replace(
        self, records: Iterable[ModelRecord], before: Mapping[str, int], now_s: float
    ) -> set[str]:
        """Bring the table in line with all stored `records`; the models that changed.

        `before` is `versions()` from before the store was read: a model that was known then, has
        not changed since and is not stored is forgotten. A store without any record is taken for
        one that has lost its data, and nothing is forgotten.
        """
        stored = {record.model: record for record in records}
        changed = {name for name, record in stored.items() if self.apply(record, now_s)}
        now = self.versions()
        for model, version in before.items():
            if stored and model not in stored and now.get(model) == version:
                self.forget(model)
                changed.add(model)
        return changed

    def versions(self) -> dict[str, int]:
        """The known version of every model."""
        return {name: entry.record.version for name, entry in self._entries.items()}

    def route(self, model: str) -> Outcome:
        """Where requests for `model` go now; the same object until its record changes."""
        entry = self._entries.get(model)
        return UNKNOWN if entry is None else entry.outcome

    def routed(self) -> list[str]:
        """The models that are loaded."""
        return [n for n, entry in self._entries.items() if isinstance(entry.outcome, Route)]

    def routed_generations(self, model: str) -> tuple[int, ...]:
        """The instances that new requests may go to."""
        outcome = self.route(model)
        if not isinstance(outcome, Route):
            return ()
        return tuple(sorted(endpoint.generation for endpoint in outcome.endpoints))

    def record(self, model: str) -> ModelRecord | None:
        """The record of a model that is there, by its name or by a further one."""
        entry = self._entries.get(model) or self._entries.get(self._aliases.get(model, ""))
        return entry.record if entry is not None and not entry.record.removed else None

    def records(self) -> list[ModelRecord]:
        """All models that are there, by name."""
        known = (entry.record for entry in self._entries.values())
        return sorted((r for r in known if not r.removed), key=lambda record: record.model)

    def for_s(self, model: str, now_s: float) -> float:
        """Since when a model that is there is in its state, as far as it was seen here."""
        return now_s - self._entries[model].since_s

    def meant(self, wrong: str, may_use: Callable[[str], bool]) -> str | None:
        """The name most like a wrong one, of those that serve and that the caller may use."""
        served = (
            n for n, e in self._entries.items() if not isinstance(e.outcome, Refused | Unknown)
        )
        return closest(wrong, filter(may_use, served))

    def eta_s(
        self,
        model: str,
        now_s: float,
        now: datetime,
        ahead: Iterable[str] = (),
        turn: Turn = NO_TURN,
    ) -> int | None:
        """Seconds until `model` may serve (0: it does), by its last load or wake; None: never.

        Its load begins when its back-off is over, and a device is done with what loads there and
        with the models `ahead`, which have been waited for longer, a `turn` after each; devices
        without an engine are not known here.
        """
        retry_in_s = self.retry_in_s(model, now)
        free_in_s = self.free_in_s(ahead, now_s, now, turn, retry_in_s=retry_in_s)[-1]
        return self.eta_once_free_s(model, now_s, now, free_in_s)

    def eta_once_free_s(
        self, model: str, now_s: float, now: datetime, free_in_s: float
    ) -> int | None:
        """The same where it is known when a device may begin its load."""
        entry = self._entries.get(model)
        if entry is None or isinstance(entry.outcome, Refused | Unplaceable | Unknown):
            return None
        if isinstance(entry.outcome, Route):
            return 0
        if _loads(entry):
            return max(1, round(self._left_s(entry, now_s)))
        begins_in_s = max(free_in_s, _retry_in_s(entry, now))
        return max(1, round(begins_in_s + self.expected_load_s(entry.record)))

    def free_in_s(
        self,
        queue: Iterable[str],
        now_s: float,
        now: datetime,
        turn: Turn,
        *,
        retry_in_s: float = 0.0,
    ) -> list[float]:
        """When a device may begin a load for each of the `queue` after those before it, and for one
        after them all, which backs off for `retry_in_s`."""
        devices_s = self._devices_free_in_s(now_s, turn)
        result = [devices_s[0]]
        for other in queue:
            first = self._entries.get(other)
            if first is not None and _can_be_loaded(first):
                begins_in_s = max(devices_s[0], _retry_in_s(first, now))
                # One that backs off for longer does not keep others waiting.
                if begins_in_s <= max(devices_s[0], retry_in_s):
                    ends_in_s = begins_in_s + self.expected_load_s(first.record)
                    heapq.heapreplace(devices_s, ends_in_s + turn.takes_s)
            result.append(devices_s[0])
        return result

    def retry_in_s(self, model: str, now: datetime) -> float:
        """What is left of the back-off of a model that has failed; 0: it does not back off."""
        entry = self._entries.get(model)
        return _retry_in_s(entry, now) if entry is not None else 0.0

    def could_begin_since_s(
        self, model: str, waited_since_s: float, now_s: float, now: datetime
    ) -> float | None:
        """Since when a model that is waited for could have been loaded; None: it cannot now."""
        entry = self._entries.get(model)
        if entry is None or not _can_be_loaded(entry) or _retry_in_s(entry, now) > 0:
            return None
        retry_at = entry.record.retry_at if isinstance(entry.outcome, Failed) else None
        if retry_at is None:
            return waited_since_s
        return max(waited_since_s, now_s - (now - retry_at).total_seconds())

    def load_began_after_s(self, model: str, waited_since_s: float) -> float | None:
        """How long the load of `model` was waited for that goes on, on a device that was done with
        all others; None: none goes on."""
        entry = self._entries.get(model)
        if entry is None or not _loads(entry):
            return None
        ended = [self._loaded_s.get(device, -math.inf) for device in entry.record.device_ids]
        return max(0.0, entry.since_s - max(waited_since_s, *ended, -math.inf))

    def _devices_free_in_s(self, now_s: float, turn: Turn) -> list[float]:
        """Of each device with an engine, a heap: when it may begin a load.

        Kept for one moment, in which it may be asked for of all models.
        """
        if self._free_at != (now_s, turn):
            self._free_at, self._free_in_s = (now_s, turn), self._free_devices_in_s(now_s, turn)
        return self._free_in_s.copy()

    def _free_devices_in_s(self, now_s: float, turn: Turn) -> list[float]:
        free_in_s: dict[str, float] = {}
        for entry in self._with_engine.values():
            loads_s = self._left_s(entry, now_s) + turn.takes_s if _loads(entry) else 0.0
            for device_id in entry.record.device_ids:
                ended_s = self._loaded_s.get(device_id, -math.inf)
                left = loads_s or turn.left_s(ended_s, now_s)
                free_in_s[device_id] = max(left, free_in_s.get(device_id, 0.0))
        heap = list(free_in_s.values()) or [0.0]
        heapq.heapify(heap)
        return heap

    def expected_load_s(self, record: ModelRecord) -> float:
        """By its last load or wake, or else by those of the others."""
        if self._typical_s is None:
            self._typical_s = typical_load_s(entry.record for entry in self._entries.values())
        return expected_load_s(record, self._typical_s)

    def _left_s(self, entry: _Entry, now_s: float) -> float:
        """What is left of a load."""
        return left_s(self.expected_load_s(entry.record), now_s - entry.since_s)


def _loads(entry: _Entry) -> bool:
    return entry.record.state is ModelState.LOADING


def _can_be_loaded(entry: _Entry) -> bool:
    return isinstance(entry.outcome, Waiting | Failed) and not _loads(entry)


def _retry_in_s(entry: _Entry, now: datetime) -> float:
    """What is left of the back-off of one that has failed."""
    retry_at = entry.record.retry_at
    if not isinstance(entry.outcome, Failed) or retry_at is None:
        return 0.0
    return max(0.0, (retry_at - now).total_seconds())


def _newer(record: ModelRecord, known: ModelRecord) -> bool:
    if record.version > known.version:
        return True
    if record.updated_at is None or known.updated_at is None:
        return False
    return record.version < known.version and record.updated_at > known.updated_at
