"""The store as services see it: records by id, saved with compare-and-set.

`redis_store.RedisStore` is the real one, `testing.in_memory_store()` the one for unit tests. Both
pass the same contract suite. Only the registry saves and deletes; all others read.
"""

from typing import Protocol, TypeVar

from modelium.common.records import AgentRecord, InstanceRecord, ModelRecord, Record

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

    async def delete(self, record_id: str) -> None:
        """Forget it; no error if it is not there."""


class AgentRecords(Protocol):
    """Agents: each is there until `ttl_s` after it was last renewed."""

    async def get(self, record_id: str) -> AgentRecord | None:
        """The record, or None when it was never there or has expired."""

    async def all(self) -> list[AgentRecord]:
        """All that have not expired, ordered by id."""

    async def renew(self, record: AgentRecord, *, ttl_s: float) -> None:
        """Write the record, whatever was there, and let it expire `ttl_s` seconds from now."""


class Store(Protocol):
    """What services need of Redis."""

    models: Records[ModelRecord]
    instances: Records[InstanceRecord]
    agents: AgentRecords

    async def ping(self) -> bool:
        """Whether Redis answers within a second; for readiness."""
