"""Asks a NATS server once what it is."""

from typing import Final

import nats
import nats.errors
from nats.js.errors import ServiceUnavailableError

from modelium.common.addresses import without_password
from modelium.common.errors import DependencyUnavailable

TIMEOUT_S: Final = 2.0


async def nats_version(url: str) -> str:
    """Its version; raises `DependencyUnavailable` when it is away, or keeps no streams."""
    shown = without_password(url)
    try:
        client = await nats.connect(
            url,
            connect_timeout=2,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # which counts for the first connection, too
            reconnect_time_wait=0,
            error_cb=_quiet,
        )
    except (TimeoutError, nats.errors.Error, OSError) as wrong:
        raise DependencyUnavailable(
            f"NATS does not answer at {shown} ({str(wrong) or type(wrong).__name__})",
            "Start a nats-server there, or correct nats.url.",
        ) from wrong
    try:
        await client.jetstream(timeout=TIMEOUT_S).account_info()
    except (TimeoutError, ServiceUnavailableError, nats.errors.Error) as wrong:
        raise DependencyUnavailable(
            f"NATS at {shown} keeps no streams", "Start it with JetStream: nats-server -js."
        ) from wrong
    finally:
        await client.close()
    version = client.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


async def _quiet(_: Exception) -> None:
    """What goes wrong is raised, too."""
