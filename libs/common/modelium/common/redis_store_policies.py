"""The one record of applied policies in Redis, saved with compare-and-set."""

from collections.abc import Awaitable
from typing import Final, cast

import structlog
from pydantic import ValidationError

from modelium.common import keys
from modelium.common.clock import Clock
from modelium.common.errors import Conflict
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.policies import AppliedPolicies
from modelium.common.redis_store_connection import Connection

# KEYS: hash. ARGV: expected version, then fields and values.
_SAVE: Final = """
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
"""

_log = structlog.get_logger()


class RedisPolicies:
    """Implements `store.PoliciesStore`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._save_script = connection.redis.register_script(_SAVE)

    async def get(self) -> AppliedPolicies | None:
        fields = await self._hash()
        if not fields:
            return None
        try:
            return from_hash(AppliedPolicies, fields)
        except ValidationError as error:
            _log.warning("store.record_skipped", key=keys.POLICIES, reason=str(error))
            return None

    async def _hash(self) -> dict[str, str]:
        async def read() -> dict[str, str]:
            found = self._connection.redis.hgetall(keys.POLICIES)
            return await cast("Awaitable[dict[str, str]]", found)

        return await self._connection.retried(read)

    async def save(self, record: AppliedPolicies) -> AppliedPolicies:
        changes = {"version": record.version + 1, "updated_at": self._clock.now()}
        saved = record.model_copy(update=changes)
        fields = to_hash(saved)
        flat = [text for field in fields.items() for text in field]
        done = await self._connection.retried(
            lambda: self._save_script(keys=[keys.POLICIES], args=[str(record.version), *flat])
        )
        # The first try may have gone through although its answer was lost.
        if done == 1 or await self._hash() == fields:
            return saved
        raise Conflict(keys.POLICIES, record.version)
