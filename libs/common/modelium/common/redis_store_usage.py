"""Usage in Redis: a hash per organisation and day; implements `store.UsageLog`."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from modelium.common import keys
from modelium.common.redis_store_connection import Connection
from modelium.common.usage import SECONDS, Usage, from_fields, to_fields

KEPT_DAYS: Final = 400
_DAY_S: Final = 86_400
_SEQUENCE_KEPT_S: Final = 7 * _DAY_S

# KEYS: the gateway's sequence, the set of organisations, then one hash for each row.
# ARGV: sequence, seconds it is kept, seconds a day is kept, then for each row its organisation
# and a JSON list of command, field and amount in turn.
_ADD: Final = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
for row = 3, #KEYS do
  redis.call('SADD', KEYS[2], ARGV[2 * row - 2])
  local fields = cjson.decode(ARGV[2 * row - 1])
  for i = 1, #fields, 3 do
    -- One that a person spoiled must not stop the others.
    redis.pcall(fields[i], KEYS[row], fields[i + 1], fields[i + 2])
  end
  redis.call('EXPIRE', KEYS[row], ARGV[3])
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class RedisUsageLog:
    """See `store.UsageLog`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._add = connection.redis.register_script(_ADD)

    async def add(self, gateway_id: str, sequence: int, rows: Sequence[Usage]) -> None:
        names = [keys.usage(row.organization, row.day.isoformat()) for row in rows]
        values = [text for row in rows for text in (row.organization, _increments(row))]
        arguments: list[int | str] = [sequence, _SEQUENCE_KEPT_S, KEPT_DAYS * _DAY_S, *values]
        where = [keys.usage_sequence(gateway_id), keys.USAGE_ORGANIZATIONS, *names]

        async def write() -> None:
            await self._add(keys=where, args=arguments)

        await self._connection.once(write)

    async def of(self, organization: str | None, first: date, last: date) -> list[Usage]:
        organizations = [organization] if organization else await self._organizations()
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        places = [(name, day) for name in organizations for day in days]
        names = [keys.usage(name, day.isoformat()) for name, day in places]
        hashes = await self._connection.retried(lambda: self._connection.hashes(names))
        found = zip(places, hashes, strict=True)
        return [row for (name, day), fields in found for row in from_fields(name, day, fields)]

    async def _organizations(self) -> list[str]:
        async def read() -> list[str]:
            found = self._connection.redis.smembers(keys.USAGE_ORGANIZATIONS)
            return sorted(str(name) for name in await found)

        return await self._connection.retried(read)


def _increments(row: Usage) -> str:
    """Flat list of command, field and amount."""
    flat: list[str] = []
    for field, amount in to_fields(row).items():
        seconds = field.rpartition("/")[2] in SECONDS
        flat += ("HINCRBYFLOAT" if seconds else "HINCRBY", field, amount)
    return json.dumps(flat)
