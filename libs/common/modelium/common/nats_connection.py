"""One connection to NATS that comes back by itself, for as long as it is wanted.

Owns the client, what it says about its state, and the publishing that survives a server's absence.
What messages mean is left to `nats_bus.py`.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import nats.errors
import stamina
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError

from modelium.common.addresses import without_password
from modelium.common.boundary import cancellable
from modelium.common.errors import DependencyUnavailable
from modelium.common.nats_topology import declare_streams

PUBLISH_FOR_S: Final = 60.0
REQUEST_TIMEOUT_S: Final = 5.0
RECONNECT_WAIT_S: Final = 0.25

# What a server that is away, restarting or empty makes of a request.
AWAY: Final = (nats.errors.Error, OSError, asyncio.TimeoutError)

_log = structlog.get_logger()


class NatsConnection:
    """A client with its JetStream context; `incarnation` grows with every (re)connect."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._shown_url = without_password(url)
        self._name = name
        self._client = Client()
        self._up = asyncio.Event()
        self._said_waiting = False
        self.incarnation = 0
        self.on_gap: set[Callable[[], None]] = set()
        """Called when core messages may have been missed."""

    @property
    def client(self) -> Client:
        return self._client

    @property
    def js(self) -> JetStreamContext:
        return self._client.jetstream(timeout=REQUEST_TIMEOUT_S)

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def until_connected(self) -> None:
        """Wait for as long as the server is away."""
        await self._up.wait()

    async def open(self, timeout_s: float | None) -> None:
        """Connect and declare the streams, however long the server takes (None: for ever).

        Raises:
            DependencyUnavailable: it did not answer in time, or refuses this client.
        """
        try:
            async with asyncio.timeout(timeout_s):
                with cancellable():
                    await self._connect()
                await self._declare()
        except TimeoutError as error:
            raise self.unavailable("does not answer") from error

    def unavailable(self, what: str) -> DependencyUnavailable:
        """The error that says what the user can do."""
        return DependencyUnavailable(
            f"NATS at {self._shown_url} {what}",
            "Start a nats-server with JetStream (-js) there, or set nats.url",
        )

    async def _connect(self) -> None:
        await self._client.connect(
            self._url,
            name=self._name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type]  # any number will do
            connect_timeout=2,
            ping_interval=5,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_connected,
        )
        await self._on_connected()

    async def _declare(self) -> None:
        retries = stamina.retry_context(on=AWAY, attempts=None, timeout=None, wait_max=1.0)
        async for attempt in retries:
            with attempt, cancellable():
                await declare_streams(self.js)

    async def close(self) -> None:
        """Send what is buffered and hang up; no error if the server is away."""
        self._up.clear()
        if self.connected:
            with suppress(*AWAY):
                await self._client.flush(timeout=1)
        # Closing while it reconnects, the client cancels what its own close waits for (nats-py).
        await asyncio.gather(self._client.close(), return_exceptions=True)

    async def send(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Publish without storing; dropped silently while the server is away."""
        if self.connected:
            with suppress(*AWAY), cancellable():
                await self._client.publish(subject, payload, headers=dict(headers))

    async def store(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Publish to a stream; on the server's disk when this returns.

        Raises:
            DependencyUnavailable: not possible for a minute.
        """
        retries = stamina.retry_context(
            on=AWAY, attempts=None, timeout=PUBLISH_FOR_S, wait_initial=0.05, wait_max=1.0
        )
        try:
            async for attempt in retries:
                with attempt, cancellable():
                    await self._store_once(subject, payload, headers)
        except AWAY as error:
            raise self.unavailable(f"did not store {subject}: {error!r}") from error

    async def _store_once(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            await self.until_connected()
        try:
            await self.js.publish(subject, payload, headers=dict(headers))
        except NoStreamResponseError:
            await declare_streams(self.js)
            raise

    async def _on_connected(self) -> None:
        self.incarnation += 1
        self._up.set()
        _log.info("bus.connected", url=self._shown_url)
        self._say_gap()

    async def _on_disconnected(self) -> None:
        self._up.clear()
        if not self._client.is_closed:
            _log.warning("bus.disconnected", url=self._shown_url)

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            _log.warning("bus.slow_consumer", subject=error.subject)
            self._say_gap()
        elif self.incarnation == 0 and not self._said_waiting:
            self._said_waiting = True
            _log.warning("bus.waiting", url=self._shown_url, reason=str(error) or repr(error))
        elif self.connected:
            _log.warning("bus.error", reason=str(error) or repr(error))

    def _say_gap(self) -> None:
        for on_gap in tuple(self.on_gap):
            on_gap()
