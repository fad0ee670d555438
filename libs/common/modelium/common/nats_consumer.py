"""One durable consumer of one stream: fetch, handle, tell the server how it ended.

One message is fetched at a time. That keeps stream order, lets a process that dies hold back only
the message it was handling, and is fast enough: some thousand messages a second.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from modelium.common import metrics
from modelium.common.boundary import attempt, cancellable
from modelium.common.bus import Handler
from modelium.common.clock import Clock
from modelium.common.delivery import Again, Dead, Done, deliver, outcome
from modelium.common.envelope import (
    MESSAGE_ID_HEADER,
    REASON_HEADER,
    SEQUENCE_HEADER,
    Arrived,
)
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message
from modelium.common.nats_connection import AWAY, NatsConnection
from modelium.common.nats_topology import declare_consumer, declare_streams
from modelium.common.subjects import dead
from modelium.common.tracing import NO_TRACING, Tracing

FETCH_S: Final = 1.0
"""And no longer than half of the time for which a message may be in hand (`lease.in_hand_s`)."""
PAUSE_S: Final = 0.2
_HEADER_LENGTH: Final = 1000

_log = structlog.get_logger()

Routes = Mapping[str, tuple[type[Message], Handler]]
Pull = JetStreamContext.PullSubscription


class NatsConsumer:
    """Runs until cancelled; see `bus.Bus.consume`."""

    def __init__(
        self,
        connection: NatsConnection,
        clock: Clock,
        *,
        stream: str,
        durable: str,
        routes: Routes,
        ack_wait_s: float,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        for kind, _ in routes.values():
            # A counter that begins with 1 does not rise, for Prometheus.
            metrics.EVENTS_DEAD_LETTERED.labels(kind.subject)
        self._connection = connection
        self._clock = clock
        self._stream = stream
        self._durable = durable
        self._routes = routes
        self._ack_wait_s = ack_wait_s
        self._postponed: dict[int, int] = {}
        """Deliveries of a message, by its sequence, that do not count as failures."""
        self._at_work: Msg | None = None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            await self._run()

    async def _run(self) -> None:
        while True:
            await self._connection.until_connected()
            try:
                await self._consume()
            except (*AWAY, DependencyUnavailable) as error:
                # Away, restarting, or it no longer knows the stream or consumer: declare again.
                _log.info("bus.consumer_interrupted", durable=self._durable, reason=repr(error))
                await self._clock.sleep(PAUSE_S)

    async def _consume(self) -> None:
        """Declare, then handle until the server has been away or refuses a fetch."""
        incarnation = self._connection.incarnation
        js = self._connection.js
        with cancellable():
            await declare_streams(js)
            await declare_consumer(
                js, self._stream, self._durable, tuple(self._routes), ack_wait_s=self._ack_wait_s
            )
        self._postponed.clear()
        pull = await js.pull_subscribe_bind(self._durable, self._stream)
        try:
            while self._connection.connected and self._connection.incarnation == incarnation:
                with cancellable():
                    await self._next(pull)
        finally:
            if self._connection.connected:
                await pull.unsubscribe()

    async def _next(self, pull: Pull) -> None:
        try:
            [msg] = await pull.fetch(1, timeout=min(FETCH_S, self._ack_wait_s / 2))
        except nats.errors.TimeoutError:
            return
        self._at_work = msg
        try:
            await self._handle(msg)
        except asyncio.CancelledError:
            with suppress(*AWAY):
                await msg.nak()
            raise
        finally:
            self._at_work = None

    async def _handle(self, msg: Msg) -> None:
        kind, handler = self._routes[msg.subject]
        sequence = msg.metadata.sequence.stream
        failures = msg.metadata.num_delivered - 1 - self._postponed.get(sequence, 0)
        fallback_id = f"{self._stream}-{sequence}"
        arrived = Arrived(msg.data, msg.headers or {}, fallback_id, msg.metadata.timestamp)
        error = await attempt(deliver(kind, arrived, handler, self._tracing))
        match outcome(error, max(failures, 0)):
            case Done():
                await msg.ack()
                metrics.EVENTS_CONSUMED.labels(kind.subject).inc()
            case Again() as again:
                await self._give_back(msg, sequence, again, error)
                return
            case Dead(reason):
                await self._bury(msg, sequence, reason, error)
        self._postponed.pop(sequence, None)

    async def _keep(self) -> None:
        """Tell the server, while a handler takes long, that it is still at work."""
        while True:
            await self._clock.sleep(self._ack_wait_s / 3)
            if self._at_work is not None and self._connection.connected:
                with suppress(*AWAY):
                    await self._at_work.in_progress()

    async def _give_back(
        self, msg: Msg, sequence: int, again: Again, error: Exception | None
    ) -> None:
        if not again.counts:
            self._postponed[sequence] = self._postponed.get(sequence, 0) + 1
        self._log_end("bus.handler_retried", msg, again.reason, error if again.counts else None)
        await msg.nak(delay=again.delay_s)
        metrics.EVENTS_REDELIVERED.labels(self._routes[msg.subject][0].subject).inc()

    async def _bury(self, msg: Msg, sequence: int, reason: str, error: Exception | None) -> None:
        headers = {
            **(msg.headers or {}),
            REASON_HEADER: " ".join(reason.split())[:_HEADER_LENGTH],
            SEQUENCE_HEADER: str(sequence),
            MESSAGE_ID_HEADER: f"dlq-{self._stream}-{sequence}",
        }
        self._log_end("bus.dead_letter", msg, reason, error)
        await self._connection.store(dead(msg.subject), msg.data, headers)
        await msg.term()
        metrics.EVENTS_DEAD_LETTERED.labels(self._routes[msg.subject][0].subject).inc()

    def _log_end(self, event: str, msg: Msg, reason: str, error: Exception | None) -> None:
        _log.warning(
            event,
            subject=msg.subject,
            durable=self._durable,
            sequence=msg.metadata.sequence.stream,
            reason=reason,
            exc_info=error,
        )
