"""Kept decisions and requests in Redis; implements `store.History`.

A hash each, which expires; a list of all ids, the newest first, beyond whose bound the oldest hash
is deleted; and a list of ids per model. Ids of hashes that are gone are passed over.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError

from modelium.common import keys
from modelium.common.frozen import Frozen
from modelium.common.hash_codec import from_hash, to_hash
from modelium.common.history import (
    BOUNDS,
    Bounds,
    DecisionRecord,
    DecisionsPage,
    NoSuchDecision,
    RequestRecord,
)
from modelium.common.redis_store_connection import Connection

F = TypeVar("F", bound=Frozen)

# KEYS: the hash, the list of all, then lists of models. ARGV: id, seconds it is kept, most of all,
# most per model, prefix of the hashes, then fields and values.
_NOTE: Final = """
local known = redis.call('EXISTS', KEYS[1]) == 1
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[2])
if known then return 0 end
for i = 2, #KEYS do
  redis.call('LPUSH', KEYS[i], ARGV[1])
  redis.call('EXPIRE', KEYS[i], ARGV[2])
  if i > 2 then redis.call('LTRIM', KEYS[i], 0, ARGV[4] - 1) end
end
while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) do
  redis.call('DEL', ARGV[5] .. redis.call('RPOP', KEYS[2]))
end
return 1
"""
# As `RequestRecord.is_of`; the key is made of the id.
_NOTE_REQUEST: Final = (
    """
local kept = redis.call('HMGET', KEYS[1], 'model', 'gateway_id', 'since')
local told = {}
for i = 6, #ARGV, 2 do told[ARGV[i]] = ARGV[i + 1] end
local same = kept[1] == told.model and kept[2] == told.gateway_id and kept[3] == told.since
if kept[1] and not same then return 0 end
"""
    + _NOTE
)

_log = structlog.get_logger()


class RedisHistory:
    """See `store.History`."""

    def __init__(self, connection: Connection, bounds: Bounds = BOUNDS) -> None:
        self._bounds = bounds
        self._connection = connection
        self._note = connection.redis.register_script(_NOTE)
        self._note_request = connection.redis.register_script(_NOTE_REQUEST)

    async def note_decision(self, record: DecisionRecord) -> None:
        lists = [keys.DECISIONS, *map(keys.decisions, record.models())]

        async def write() -> None:
            await self._note(
                keys=[keys.decision(record.decision_id), *lists],
                args=[
                    record.decision_id,
                    int(self._bounds.decisions_for.total_seconds()),
                    self._bounds.decisions,
                    self._bounds.decisions_per_model,
                    keys.decision(""),
                    *_flat(record),
                ],
            )

        await self._connection.retried(write)

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        return next(iter(await self._read(DecisionRecord, [keys.decision(decision_id)])), None)

    async def decisions(self, *, most: int, before: str | None = None) -> DecisionsPage:
        redis = self._connection.redis

        async def newest() -> list[str]:
            first = 0
            if before is not None:
                place = await redis.lpos(keys.DECISIONS, before)
                if place is None:
                    raise NoSuchDecision(before)
                first = int(str(place)) + 1
            # One more than wanted tells whether there are more.
            return [str(found) for found in await redis.lrange(keys.DECISIONS, first, first + most)]

        ids = await self._connection.retried(newest)
        names = [keys.decision(found) for found in ids[:most]]
        records = await self._read(DecisionRecord, names)
        return DecisionsPage(tuple(records), ids[most - 1] if len(ids) > most else None)

    async def decisions_of(self, model: str, *, most: int) -> list[DecisionRecord]:
        async def newest() -> list[str]:
            found = self._connection.redis.lrange(keys.decisions(model), 0, most - 1)
            return [str(decision_id) for decision_id in await found]

        ids = await self._connection.retried(newest)
        return await self._read(DecisionRecord, [keys.decision(found) for found in reversed(ids)])

    async def note_requests(self, records: Sequence[RequestRecord]) -> None:
        async def write() -> None:
            pipeline = self._connection.redis.pipeline(transaction=False)
            for record in records:
                await self._note_request(
                    keys=[keys.request(record.request_id), keys.REQUESTS],
                    args=[
                        record.request_id,
                        int(self._bounds.requests_for.total_seconds()),
                        self._bounds.requests,
                        0,
                        keys.request(""),
                        *_flat(record),
                    ],
                    client=pipeline,
                )
            await pipeline.execute()

        if records:
            await self._connection.once(write)

    async def request(self, request_id: str) -> RequestRecord | None:
        return next(iter(await self._read(RequestRecord, [keys.request(request_id)])), None)

    async def _read(self, kind: type[F], names: list[str]) -> list[F]:
        found = await self._connection.retried(lambda: self._connection.hashes(names))
        return [
            record
            for name, fields in zip(names, found, strict=True)
            if fields and (record := _parsed(kind, name, fields)) is not None
        ]


def _flat(record: Frozen) -> list[str]:
    return [text for field in to_hash(record).items() for text in field]


def _parsed(kind: type[F], name: str, fields: dict[str, str]) -> F | None:
    try:
        return from_hash(kind, fields)
    except ValidationError as error:
        _log.warning("store.record_skipped", key=name, reason=str(error))
        return None
