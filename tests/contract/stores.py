"""Stores on a Redis of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from modelium.common.redis_store import RedisStore
from tests.servers import Server


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[tuple[RedisStore, Redis]]:
    """An empty store, and its Redis as a person sees it."""
    raw: Redis = Redis.from_url(server.url, decode_responses=True)
    await raw.flushall()
    store = RedisStore(server.url)
    yield store, raw
    await store.close()
    await raw.aclose()
