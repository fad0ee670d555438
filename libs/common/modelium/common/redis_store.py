"""The store in Redis: one hash per record, one set of ids per kind, saved with compare-and-set.

The only module that imports redis. Uses commands of Redis 6.2 only. How a record becomes a hash is
`hash_codec.py`, how keys are called `keys.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Generic, TypeVar, cast

import stamina
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from modelium.common import keys
from modelium.common.boundary import cancellable
from modelium.common.clock import Clock, SystemClock
from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.records import AgentRecord, InstanceRecord, ModelRecord, Record
from modelium.common.store import AgentRecords, Records

R = TypeVar("R", bound=Record)
T = TypeVar("T")

RETRY_FOR_S: Final = 10.0
PING_S: Final = 1.0
SOCKET_S: Final = 3.0
AWAY: Final = (RedisConnectionError, RedisTimeoutError, OSError)

# KEYS: hash, set of ids. ARGV: expected version, id, then fields and values.
_SAVE: Final = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('SADD', KEYS[2], ARGV[2])
return 1
"""

_log = structlog.get_logger()


class _Connection:
    """A Redis client whose every use is tried again while Redis is away."""

    def __init__(self, url: str, retry_for_s: float) -> None:
        self._url = url
        self._retry_for_s = retry_for_s
        self.redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=SOCKET_S, socket_connect_timeout=SOCKET_S
        )

    async def retried(self, use: Callable[[], Awaitable[T]]) -> T:
        """What `use` returns, once Redis answers.

        Raises:
            DependencyUnavailable: it did not for ten seconds.
        """
        retries = stamina.retry_context(
            on=AWAY, attempts=None, timeout=self._retry_for_s, wait_initial=0.05, wait_max=1.0
        )
        try:
            async for attempt in retries:
                with attempt, cancellable():
                    return await use()
        except AWAY as error:
            raise self.unavailable(str(error)) from error
        raise AssertionError("a retry context ends with a result or an error")

    def unavailable(self, reason: str) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"Redis at {self._url} does not answer ({reason})",
            "Start a redis-server there, or set redis.url",
        )

    async def hashes(self, names: list[str]) -> list[dict[str, str]]:
        """All these hashes in one round trip; empty where there is none."""
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(name)
        found: list[dict[str, str]] = await pipeline.execute()
        return found


class _Hashes(Generic[R]):
    """Reading records of one kind."""

    def __init__(
        self, connection: _Connection, kind: type[R], *, ids: str, key: Callable[[str], str]
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

    async def delete(self, record_id: str) -> None:
        async def forget() -> None:
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.delete(self._key(record_id))
            pipeline.srem(self._ids, record_id)
            await pipeline.execute()

        await self._connection.retried(forget)


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
        self._connection = _Connection(url, retry_for_s)
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
