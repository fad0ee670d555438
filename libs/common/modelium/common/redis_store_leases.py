"""Leases of concurrent requests in Redis; implements `store.Leases`.

One hash per account: field a gateway, value `<held> <wanted> <end of its lease>`. Redis' own clock
decides which leases have ended, so gateways need not agree on the time.
"""

from collections.abc import Mapping
from typing import Final

from modelium.common import keys
from modelium.common.redis_store_connection import Connection
from modelium.common.store import SlotsHeld, SlotsWanted

# KEYS: the account's hash. ARGV: gateway, limit, wanted, milliseconds of the lease.
_RENEW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others, contended = 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    local held, wanted, ends = string.match(all[i + 1], '^(%d+) (%d+) (%d+)$')
    if not ends or tonumber(ends) <= now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      others = others + held
      if tonumber(wanted) > tonumber(held) then contended = 1 end
    end
  end
end
local wanted = tonumber(ARGV[3])
local held = math.max(0, math.min(wanted, tonumber(ARGV[2]) - others))
if wanted == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  local ends = string.format('%.0f', now + tonumber(ARGV[4]))
  redis.call('HSET', KEYS[1], ARGV[1], held .. ' ' .. wanted .. ' ' .. ends)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return {held, contended}
"""

# KEYS: the sorted set of gateways. ARGV: gateway, milliseconds.
_PRESENT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class RedisLeases:
    """See `store.Leases`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._renew = connection.redis.register_script(_RENEW)
        self._present = connection.redis.register_script(_PRESENT)

    async def renew(
        self, gateway_id: str, slots: Mapping[str, SlotsWanted], *, ttl_s: float
    ) -> Mapping[str, SlotsHeld]:
        async def ask() -> list[list[int]]:
            pipeline = self._connection.redis.pipeline(transaction=False)
            for account, want in slots.items():
                arguments = (gateway_id, want.limit, want.wanted, round(ttl_s * 1000))
                await self._renew(keys=[keys.slots(account)], args=arguments, client=pipeline)
            answers: list[list[int]] = await pipeline.execute()
            return answers

        answers = await self._connection.once(ask) if slots else []
        return {
            account: SlotsHeld(held, contended == 1)
            for account, (held, contended) in zip(slots, answers, strict=True)
        }

    async def present(self, gateway_id: str, *, ttl_s: float) -> int:
        async def ask() -> int:
            arguments = (gateway_id, round(ttl_s * 1000))
            return int(await self._present(keys=[keys.GATEWAYS], args=arguments))

        return await self._connection.once(ask)
