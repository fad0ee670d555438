"""Whether and where a model serves: what this gateway knows of every model.

Pure. Fed with records by `model_updates.py`; read by the hot path, which therefore needs
neither NATS nor Redis. Which instance a request gets is `dispatch.py`'s, who waits `holding.py`'s.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from modelium.common.close_names import closest
from modelium.common.records import InstanceEndpoint, ModelRecord, ModelState, instance_id
from modelium.gateway.engines.expected import expected_load_s, typical_load_s


@dataclass(frozen=True, slots=True)
class Route:
    """Loaded; requests may go to any of `endpoints`, of which there is at least one."""

    endpoints: tuple[InstanceEndpoint, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not loaded now, but can be."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Its last engine failed; the record says why and when it is tried again."""

    record: ModelRecord


@dataclass(frozen=True, slots=True)
class Refused:
    """Its files cannot be served."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """It fits no device there is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such model, or its files are gone."""


Outcome = Route | Waiting | Failed | Refused | Unplaceable | Unknown

_UNKNOWN: Final = Unknown()
_WAITING: Final = Waiting()


def _outcome(record: ModelRecord) -> Outcome:
    if record.removed:
        return _UNKNOWN
    if record.state is ModelState.REJECTED:
        return Refused(record.reason)
    if record.refused:
        return Unplaceable(record.reason)
    if record.state is ModelState.ERROR:
        return Failed(record)
    endpoints = _endpoints(record) if record.state is ModelState.LOADED else ()
    return Route(endpoints) if endpoints else _WAITING


def _endpoints(record: ModelRecord) -> tuple[InstanceEndpoint, ...]:
    """A record that was saved before records had `endpoints` names its one engine only."""
    if record.endpoints or not record.endpoint:
        return record.endpoints
    name = record.instance_id or instance_id(record.model, record.generation)
    count = max(1, len(record.device_ids))
    one = InstanceEndpoint(
        instance_id=name, generation=record.generation, url=record.endpoint, device_count=count
    )
    return (one,)


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
    _free_at_s: float = -math.inf
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
        if known is None or known.record.load_s != record.load_s:
            self._typical_s = None
        entry = self._entries[record.model] = _Entry(record, _outcome(record), since_s)
        self._note_aliases(record)
        self._free_at_s = -math.inf
        self._with_engine.pop(record.model, None)
        if record.device_ids:
            self._with_engine[record.model] = entry
        return True

    def forget(self, model: str) -> bool:
        """Drop a model; whether it was known."""
        self._free_at_s, self._typical_s = -math.inf, None
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
        return _UNKNOWN if entry is None else entry.outcome

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
        self, model: str, now_s: float, now: datetime, ahead: Iterable[str] = ()
    ) -> int | None:
        """Seconds until `model` may serve (0: it does), by its last load or wake; None: never.

        Its load begins when its back-off is over, and a device is done with what loads there and
        with the models `ahead`, which have been waited for longer; devices without an engine are
        not known here.
        """
        entry = self._entries.get(model)
        if entry is None or isinstance(entry.outcome, Refused | Unplaceable | Unknown):
            return None
        if isinstance(entry.outcome, Route):
            return 0
        if entry.record.state is ModelState.LOADING:
            return max(1, round(self._left_s(entry, now_s)))
        free_in_s, retry_in_s = self._devices_free_in_s(now_s), _retry_in_s(entry, now)
        for other in ahead:
            first = self._entries.get(other)
            if first is None or not _can_be_loaded(first):
                continue
            begins_in_s = max(free_in_s[0], _retry_in_s(first, now))
            # One that backs off for longer does not keep this one waiting.
            if begins_in_s <= max(free_in_s[0], retry_in_s):
                heapq.heapreplace(free_in_s, begins_in_s + self.expected_load_s(first.record))
        return max(1, round(max(free_in_s[0], retry_in_s) + self.expected_load_s(entry.record)))

    def _devices_free_in_s(self, now_s: float) -> list[float]:
        """Of each device with an engine, a heap: when what loads there is loaded.

        Kept for one moment, in which it may be asked for of all models.
        """
        if self._free_at_s != now_s:
            self._free_at_s, self._free_in_s = now_s, self._free_devices_in_s(now_s)
        return self._free_in_s.copy()

    def _free_devices_in_s(self, now_s: float) -> list[float]:
        free_in_s: dict[str, float] = {}
        for entry in self._with_engine.values():
            left_s = self._left_s(entry, now_s) if _loads(entry) else 0.0
            for device_id in entry.record.device_ids:
                free_in_s[device_id] = max(left_s, free_in_s.get(device_id, 0.0))
        heap = list(free_in_s.values()) or [0.0]
        heapq.heapify(heap)
        return heap

    def expected_load_s(self, record: ModelRecord) -> float:
        """By its last load or wake, or else by those of the others."""
        if self._typical_s is None:
            self._typical_s = typical_load_s(entry.record for entry in self._entries.values())
        return expected_load_s(record, self._typical_s)

    def _left_s(self, entry: _Entry, now_s: float) -> float:
        """What is left of a load. A late one is taken to need half as long again as it is late, so
        that a client does not come back in vain every second.
        """
        loading_s, expected_s = now_s - entry.since_s, self.expected_load_s(entry.record)
        return max(expected_s - loading_s, (loading_s - expected_s) / 2)


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
