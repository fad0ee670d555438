"""The store in memory: the same hashes as in Redis, kept in dictionaries."""

import json
from collections.abc import Iterable
from typing import Generic, TypeVar

from modelium.common.advice import AdvisorRecord
from modelium.common.api_keys import ApiKey
from modelium.common.clock import Clock, SystemClock
from modelium.common.errors import Conflict
from modelium.common.policies import AppliedPolicies
from modelium.common.records import AgentRecord, InstanceRecord, MemoryRecord, ModelRecord, Record
from modelium.common.store import AgentRecords, History, Leases, PoliciesStore, Records, UsageLog
from modelium.common.testing.history import InMemoryHistory
from modelium.common.testing.shares import InMemoryLeases, InMemoryUsageLog

R = TypeVar("R", bound=Record)


class _Records(Generic[R]):
    def __init__(self, kind: type[R], id_field: str, clock: Clock) -> None:
        self._kind = kind
        self._id_field = id_field
        self._clock = clock
        self._saved: dict[str, str] = {}

    async def get(self, record_id: str) -> R | None:
        saved = self._saved.get(record_id)
        return None if saved is None else self._kind.model_validate_json(saved)

    async def all(self) -> list[R]:
        return [self._kind.model_validate_json(self._saved[key]) for key in sorted(self._saved)]

    async def save(self, record: R) -> R:
        record_id: str = getattr(record, self._id_field)
        stored = self._saved.get(record_id)
        if (json.loads(stored)["version"] if stored else 0) != record.version:
            raise Conflict(record_id, record.version)
        changes = {"version": record.version + 1, "updated_at": self._clock.now()}
        saved = record.model_copy(update=changes)
        self._saved[record_id] = saved.model_dump_json()
        return saved

    async def delete(self, record_id: str, *, version: int | None = None) -> None:
        stored = self._saved.get(record_id)
        if stored and version not in (None, json.loads(stored)["version"]):
            raise Conflict(record_id, version or 0)
        self._saved.pop(record_id, None)


class _AgentRecords:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._saved: dict[str, tuple[float, AgentRecord]] = {}

    async def get(self, record_id: str) -> AgentRecord | None:
        expires, record = self._saved.get(record_id, (0.0, None))
        return record if self._clock.monotonic() < expires else None

    async def all(self) -> list[AgentRecord]:
        found = [await self.get(record_id) for record_id in sorted(self._saved)]
        return [record for record in found if record is not None]

    async def renew(self, record: AgentRecord, *, ttl_s: float) -> None:
        stamped = record.model_copy(update={"updated_at": self._clock.now()})
        self._saved[record.agent_id] = (self._clock.monotonic() + ttl_s, stamped)


class _Policies:
    """One record, as `_Records` keep many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._saved: str | None = None

    async def get(self) -> AppliedPolicies | None:
        return AppliedPolicies.model_validate_json(self._saved) if self._saved else None

    async def save(self, record: AppliedPolicies) -> AppliedPolicies:
        if (json.loads(self._saved)["version"] if self._saved else 0) != record.version:
            raise Conflict("policies", record.version)
        changes = {"version": record.version + 1, "updated_at": self._clock.now()}
        saved = record.model_copy(update=changes)
        self._saved = saved.model_dump_json()
        return saved


class InMemoryStore:
    """Implements `store.Store`."""

    def __init__(self, clock: Clock) -> None:
        self.answers = True
        """What `ping` says; leases and the log of usage are away when it is false."""
        self.models: Records[ModelRecord] = _Records(ModelRecord, "model", clock)
        self.instances: Records[InstanceRecord] = _Records(InstanceRecord, "instance_id", clock)
        self.agents: AgentRecords = _AgentRecords(clock)
        self.memory: Records[MemoryRecord] = _Records(MemoryRecord, "memory_id", clock)
        self.advisors: Records[AdvisorRecord] = _Records(AdvisorRecord, "advisor", clock)
        self.api_keys: Records[ApiKey] = _Records(ApiKey, "key_id", clock)
        self.leases: Leases = InMemoryLeases(clock, lambda: self.answers)
        self.usage: UsageLog = InMemoryUsageLog(lambda: self.answers)
        self.history: History = InMemoryHistory(clock, lambda: self.answers)
        self.policies: PoliciesStore = _Policies(clock)

    async def ping(self) -> bool:
        return self.answers


async def in_memory_store(
    *records: ModelRecord | InstanceRecord, clock: Clock | None = None
) -> InMemoryStore:
    """A store that holds `records`, each saved once (so at version 1)."""
    store = InMemoryStore(clock or SystemClock())
    await _fill(store, records)
    return store


async def _fill(store: InMemoryStore, records: Iterable[ModelRecord | InstanceRecord]) -> None:
    for record in records:
        if isinstance(record, ModelRecord):
            await store.models.save(record)
        else:
            await store.instances.save(record)
