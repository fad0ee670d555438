"""The store as services see it: records by id, saved with compare-and-set.

`redis_store.RedisStore` is the real one, `testing.in_memory_store()` the one for unit tests. Both
pass the same contract suite. Models, instances and memory are saved and deleted by the registry
only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar

from modelium.common.advice import AdvisorRecord
from modelium.common.api_keys import ApiKey
from modelium.common.history import DecisionRecord, DecisionsPage, RequestRecord
from modelium.common.policies import AppliedPolicies
from modelium.common.records import AgentRecord, InstanceRecord, MemoryRecord, ModelRecord, Record
from modelium.common.usage import Usage

R = TypeVar("R", bound=Record)


class Records(Protocol[R]):
    """All records of one kind, by id (a model's name, an instance's or an agent's id).

    Every call is tried again while Redis is away, for up to ten seconds, and then raises
    `DependencyUnavailable`.
    """

    async def get(self, record_id: str) -> R | None:
        """The record, or None."""

    async def all(self) -> list[R]:
        """All of them, ordered by id; a record that does not parse is skipped and logged."""

    async def save(self, record: R) -> R:
        """Save if the stored version is still `record.version` (0: not there yet).

        Returns the record as saved: version one higher, `updated_at` now.

        Raises:
            Conflict: somebody else saved in between.
        """

    async def delete(self, record_id: str, *, version: int | None = None) -> None:
        """Forget it; no error if it is not there.

        Raises:
            Conflict: it is not at this `version` (None: any will do).
        """


class AgentRecords(Protocol):
    """Agents: each is there until `ttl_s` after it was last renewed."""

    async def get(self, record_id: str) -> AgentRecord | None:
        """The record, or None when it was never there or has expired."""

    async def all(self) -> list[AgentRecord]:
        """All that have not expired, ordered by id."""

    async def renew(self, record: AgentRecord, *, ttl_s: float) -> None:
        """Write the record, whatever was there, and let it expire `ttl_s` seconds from now."""


@dataclass(frozen=True, slots=True)
class SlotsWanted:
    """How many of an account's `limit` concurrent requests a gateway wants to hold."""

    limit: int
    wanted: int


@dataclass(frozen=True, slots=True)
class SlotsHeld:
    """How many it holds now; `contended`: another gateway got fewer than it wants."""

    held: int
    contended: bool


class Leases(Protocol):
    """Slots of accounts, each held by one gateway until its lease ends; never more than the limit.

    Both calls are answered within a second or raise `DependencyUnavailable`.
    """

    async def renew(
        self, gateway_id: str, slots: Mapping[str, SlotsWanted], *, ttl_s: float
    ) -> Mapping[str, SlotsHeld]:
        """Hold these, instead of what the gateway held of these accounts, for `ttl_s` seconds."""

    async def present(self, gateway_id: str, *, ttl_s: float) -> int:
        """Be counted as a gateway for `ttl_s` seconds; returns how many gateways there are."""


class UsageLog(Protocol):
    """Usage per organisation and day, only ever added to."""

    async def add(self, gateway_id: str, sequence: int, rows: Sequence[Usage]) -> None:
        """Add all rows, or nothing if this gateway's batch `sequence` (1, 2, …) was added before.

        Raises:
            DependencyUnavailable: nobody knows whether they were added; add the same batch again.
        """

    async def of(self, organization: str | None, first: date, last: date) -> list[Usage]:
        """The rows of these days, of one organisation or of all; by organisation and day."""


class History(Protocol):
    """What is kept for explaining: bounded in number and time (`history.py`).

    The registry notes decisions, gateways note requests.
    """

    async def note_decision(self, record: DecisionRecord) -> None:
        """Keep it; told twice equals once.

        Raises:
            DependencyUnavailable: Redis is away.
        """

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        """One of them; None: it never was, or is kept no longer."""

    async def decisions(self, *, most: int, before: str | None = None) -> DecisionsPage:
        """Of all, the newest (before the one of this id).

        Raises:
            NoSuchDecision: that one is not kept.
        """

    async def decisions_of(self, model: str, *, most: int) -> list[DecisionRecord]:
        """The newest about a model, those first that were made first."""

    async def note_requests(self, records: Sequence[RequestRecord]) -> None:
        """Keep them, instead of what was noted of the same waits before (`RequestRecord.is_of`).

        The first wait of an id stays: another one's with that id is dropped.

        Raises:
            DependencyUnavailable: Redis did not answer within a second.
        """

    async def request(self, request_id: str) -> RequestRecord | None:
        """One of them; None: it never waited for a load, or is kept no longer."""


class PoliciesStore(Protocol):
    """The one record of what was applied with `modelium config apply`; gateways write it.

    Both calls are tried again as those of `Records`.
    """

    async def get(self) -> AppliedPolicies | None:
        """What was applied last; None: nothing, or the record does not parse, which is logged."""

    async def save(self, record: AppliedPolicies) -> AppliedPolicies:
        """Save if the stored version is still `record.version` (0: nothing is there).

        Raises:
            Conflict: somebody else applied something in between.
        """


class Store(Protocol):
    """What services need of Redis."""

    models: Records[ModelRecord]
    instances: Records[InstanceRecord]
    agents: AgentRecords
    memory: Records[MemoryRecord]
    advisors: Records[AdvisorRecord]
    api_keys: Records[ApiKey]
    leases: Leases
    usage: UsageLog
    history: History
    policies: PoliciesStore

    async def ping(self) -> bool:
        """Whether Redis answers within a second; for readiness."""
