"""The one connection to Redis, and how long its answers are waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from modelium.common.addresses import without_password
from modelium.common.boundary import cancellable
from modelium.common.errors import DependencyUnavailable

T = TypeVar("T")

ONCE_S: Final = 1.0
SOCKET_S: Final = 3.0
AWAY: Final = (RedisConnectionError, RedisTimeoutError, OSError)


class Connection:
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

    async def once(self, use: Callable[[], Awaitable[T]]) -> T:
        """What `use` returns; for what is pointless to wait for.

        Raises:
            DependencyUnavailable: Redis did not answer within a second, or refused.
        """
        try:
            async with asyncio.timeout(ONCE_S):
                with cancellable():
                    return await use()
        except (*AWAY, RedisError) as error:
            raise self.unavailable(str(error)) from error

    def unavailable(self, reason: str) -> DependencyUnavailable:
        """The error that says so, and what to do."""
        return DependencyUnavailable(
            f"Redis at {without_password(self._url)} does not answer ({reason})",
            "Start a redis-server there, or set redis.url",
        )

    async def hashes(self, names: list[str]) -> list[dict[str, str]]:
        """All these hashes in one round trip; empty where there is none."""
        pipeline = self.redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(name)
        found: list[dict[str, str]] = await pipeline.execute()
        return found
