"""The store in Redis: one hash per record, one set of ids per kind, saved with compare-and-set.

Only it and its neighbours `redis_store_*.py` import redis. Uses commands of Redis 6.2 only. How a
record becomes a hash is `hash_codec.py`, how keys are called `keys.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import structlog
from pydantic import ValidationError
from redis.exceptions import RedisError

from modelium.common import keys
from modelium.common.advice import AdvisorRecord
from modelium.common.api_keys import ApiKey
from modelium.common.boundary import cancellable
from modelium.common.clock import Clock, SystemClock
from modelium.common.errors import Conflict
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.records import AgentRecord, InstanceRecord, MemoryRecord, ModelRecord, Record
from modelium.common.redis_store_connection import AWAY, Connection
from modelium.common.redis_store_history import RedisHistory
from modelium.common.redis_store_leases import RedisLeases
from modelium.common.redis_store_policies import RedisPolicies
from modelium.common.redis_store_usage import RedisUsageLog
from modelium.common.store import AgentRecords, History, Leases, PoliciesStore, Records, UsageLog

R = TypeVar("R", bound=Record)

RETRY_FOR_S: Final = 10.0
PING_S: Final = 1.0

# KEYS: hash, set of ids. ARGV: expected version, id, then fields and values.
_SAVE: Final = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('SADD', KEYS[2], ARGV[2])
return 1
"""

# KEYS: hash, set of ids. ARGV: expected version (empty: any), id.
_DELETE: Final = """
local version = redis.call('HGET', KEYS[1], 'version')
if version and ARGV[1] ~= '' and version ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[2])
return 1
"""

_log = structlog.get_logger()


class _Hashes(Generic[R]):
    """Reading records of one kind."""

    def __init__(
        self, connection: Connection, kind: type[R], *, ids: str, key: Callable[[str], str]
    ) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._kind = kind
        self._ids = ids
        self._key = key

    async def get(self, record_id: str) -> R | None:
        [found] = await self._connection.retried(
            lambda: self._connection.hashes([self._key(record_id)])
        )
        return from_hash(self._kind, found) if found else None

    async def all(self) -> list[R]:
        found = await self._connection.retried(self._all_hashes)
        parsed = (self._parsed(record_id, fields) for record_id, fields in found.items())
        return [record for record in parsed if record is not None]

    async def _all_hashes(self) -> dict[str, dict[str, str]]:
        members = cast("Awaitable[set[str]]", self._redis.smembers(self._ids))
        ids = sorted(await members)
        hashes = await self._connection.hashes([self._key(record_id) for record_id in ids])
        return dict(zip(ids, hashes, strict=True))

    def _parsed(self, record_id: str, fields: Mapping[str, str]) -> R | None:
        if not fields:  # expired, or deleted in between
            return None
        try:
            return from_hash(self._kind, fields)
        except ValidationError as error:
            _log.warning("store.record_skipped", key=self._key(record_id), reason=str(error))
            return None


class _Records(_Hashes[R]):
    """Implements `store.Records`."""

    def __init__(self, *args: Any, id_field: str, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._id_field = id_field
        self._clock = clock
        self._save_script = self._redis.register_script(_SAVE)
        self._delete_script = self._redis.register_script(_DELETE)

    async def save(self, record: R) -> R:
        changes = {"version": record.version + 1, "updated_at": self._clock.now()}
        saved = record.model_copy(update=changes)
        record_id: str = getattr(record, self._id_field)
        fields = to_hash(saved)
        if await self._swap(record_id, record.version, fields) or (
            # The first try may have gone through although its answer was lost.
            await self._connection.retried(lambda: self._hash(record_id)) == fields
        ):
            return saved
        raise Conflict(self._key(record_id), record.version)

    async def _swap(self, record_id: str, expected: int, fields: Mapping[str, str]) -> bool:
        flat = [text for field in fields.items() for text in field]
        done = await self._connection.retried(
            lambda: self._save_script(
                keys=[self._key(record_id), self._ids], args=[str(expected), record_id, *flat]
            )
        )
        return bool(done == 1)

    async def _hash(self, record_id: str) -> dict[str, str]:
        [found] = await self._connection.hashes([self._key(record_id)])
        return found

    async def delete(self, record_id: str, *, version: int | None = None) -> None:
        expected = "" if version is None else str(version)
        done = await self._connection.retried(
            lambda: self._delete_script(
                keys=[self._key(record_id), self._ids], args=[expected, record_id]
            )
        )
        if done != 1:
            raise Conflict(self._key(record_id), version or 0)


class _AgentRecords(_Hashes[AgentRecord]):
    """Implements `store.AgentRecords`."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    async def renew(self, record: AgentRecord, *, ttl_s: float) -> None:
        stamped = record.model_copy(update={"updated_at": self._clock.now()})
        fields: dict[Any, Any] = {**to_hash(stamped)}
        key = self._key(record.agent_id)

        async def write() -> None:
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.delete(key)
            pipeline.hset(key, mapping=fields)
            pipeline.pexpire(key, max(1, round(ttl_s * 1000)))
            pipeline.sadd(self._ids, record.agent_id)
            await pipeline.execute()

        await self._connection.retried(write)


class RedisStore:
    """Implements `store.Store`; connects by itself, on first use and again after every loss."""

    def __init__(
        self, url: str, *, clock: Clock | None = None, retry_for_s: float = RETRY_FOR_S
    ) -> None:
        clock = clock or SystemClock()
        self._connection = Connection(url, retry_for_s)
        self.models: Records[ModelRecord] = _Records(
            self._connection,
            ModelRecord,
            ids=keys.MODELS,
            key=keys.model,
            id_field="model",
            clock=clock,
        )
        self.instances: Records[InstanceRecord] = _Records(
            self._connection,
            InstanceRecord,
            ids=keys.INSTANCES,
            key=keys.instance,
            id_field="instance_id",
            clock=clock,
        )
        self.agents: AgentRecords = _AgentRecords(
            self._connection, AgentRecord, ids=keys.AGENTS, key=keys.agent, clock=clock
        )
        self.memory: Records[MemoryRecord] = _Records(
            self._connection,
            MemoryRecord,
            ids=keys.MEMORY,
            key=keys.memory,
            id_field="memory_id",
            clock=clock,
        )
        self.advisors: Records[AdvisorRecord] = _Records(
            self._connection,
            AdvisorRecord,
            ids=keys.ADVISORS,
            key=keys.advisor,
            id_field="advisor",
            clock=clock,
        )
        self.api_keys: Records[ApiKey] = _Records(
            self._connection,
            ApiKey,
            ids=keys.API_KEYS,
            key=keys.api_key,
            id_field="key_id",
            clock=clock,
        )
        self.leases: Leases = RedisLeases(self._connection)
        self.usage: UsageLog = RedisUsageLog(self._connection)
        self.history: History = RedisHistory(self._connection)
        self.policies: PoliciesStore = RedisPolicies(self._connection, clock)

    async def ping(self) -> bool:
        try:
            async with asyncio.timeout(PING_S):
                with cancellable():
                    return bool(await self._connection.redis.ping())
        except (*AWAY, RedisError):
            return False

    async def close(self) -> None:
        """Hang up."""
        await self._connection.redis.aclose()
