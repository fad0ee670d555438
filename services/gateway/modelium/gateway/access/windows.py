"""The minute that all gateways share, by the library `limits`; the only module that imports it.

A moving window: an entry per unit, with the time it was taken. The times are those of the gateways'
machines, whose clocks have to agree to a fraction of a second.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from modelium.common import keys
from modelium.common.addresses import without_password
from modelium.common.boundary import cancellable
from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable

T = TypeVar("T")

TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a window gave, how many units it has left, and when it gets some back if it has none."""

    units: int
    left: int
    frees_in_s: float


class Windows(Protocol):
    """Shared limits per minute."""

    async def take(self, name: str, window: int, units: int) -> Taken:
        """Take `units` of the `window` units a minute of `name`, or half as many as are left.

        Raises:
            DependencyUnavailable: no answer within a second or two; some may have been taken.
        """

    async def close(self) -> None:
        """Hang up."""


class LimitsWindows:
    """Implements `Windows` on Redis."""

    def __init__(self, redis_url: str, clock: Clock) -> None:
        self._storage = RedisStorage(
            f"async+{redis_url}".replace("async+unix", "async+redis+unix"),
            implementation="redispy",
            key_prefix=keys.LIMITS,
            wrap_exceptions=True,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        )
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._shown_url = without_password(redis_url)
        self._clock = clock

    async def take(self, name: str, window: int, units: int) -> Taken:
        """See `Windows.take`."""
        item = RateLimitItemPerMinute(window)
        taken = 0
        while True:
            if units and await self._answer(self._limiter.hit(item, name, cost=units)):
                taken = units
            stats = await self._answer(self._limiter.get_window_stats(item, name))
            left = max(0, stats.remaining)
            if taken or not left:
                frees_in_s = max(0.0, stats.reset_time - self._clock.now().timestamp())
                return Taken(taken, left, frees_in_s)
            units = min(units, max(1, left // 2))

    async def _answer(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                with cancellable():
                    return await asked
        except (StorageError, OSError) as error:
            raise DependencyUnavailable(
                f"Redis at {self._shown_url} does not count ({error})",
                "Start a redis-server there, or set redis.url",
            ) from error

    async def close(self) -> None:
        """See `Windows.close`."""
        # The library has no way to hang up, and does not say which client `implementation` made.
        bridge = cast("RedispyBridge", self._storage.bridge)
        client: Any = bridge.get_connection()
        await client.aclose()
