"""Asks a Redis server once what it is."""

from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from modelium.common.addresses import without_password
from modelium.common.errors import DependencyUnavailable

TIMEOUT_S: Final = 2.0


async def redis_version(url: str) -> str:
    """Its version; raises `DependencyUnavailable` when it is away, or does not let us in."""
    client = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    try:
        about = await client.info("server")
    except (RedisError, OSError) as wrong:
        raise DependencyUnavailable(
            f"Redis does not answer at {without_password(url)} ({wrong})",
            "Start a redis-server there, or correct redis.url.",
        ) from wrong
    finally:
        await client.aclose()
    return str(about.get("valkey_version") or about["redis_version"])
