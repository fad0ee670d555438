"""The bus over NATS: JetStream for what is stored, plain subjects for the rest.

This and the `nats_*` modules beside it are all that imports nats. The connection is
`nats_connection.py`, durable consumers are `nats_consumer.py`, live ones `nats_follower.py`.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from modelium.common import metrics
from modelium.common.bus import A, Handlers
from modelium.common.clock import Clock, SystemClock
from modelium.common.delivery import about
from modelium.common.envelope import encode
from modelium.common.event_log import EventLog
from modelium.common.events import Command, Message, Question
from modelium.common.nats_answers import Gathering, NatsAnswerer, asked
from modelium.common.nats_connection import NatsConnection
from modelium.common.nats_consumer import NatsConsumer
from modelium.common.nats_event_log import NatsEventLog
from modelium.common.nats_follower import NatsFollower
from modelium.common.nats_lease import NatsLeaseCell
from modelium.common.subjects import COMMANDS_STREAM, EVENTS_STREAM, subject_for, subject_of
from modelium.common.tracing import NO_TRACING, Kind, Tracing

ACK_WAIT_S: Final = 10.0
"""The message that a dead process was handling is delivered to another after this."""


class NatsBus:
    """Implements `bus.Bus`; `source` says in every message who sent it."""

    def __init__(
        self,
        url: str,
        *,
        source: str,
        clock: Clock | None = None,
        ack_wait_s: float = ACK_WAIT_S,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self._source = source
        self._ack_wait_s = ack_wait_s
        self._clock = clock or SystemClock()
        self._connection = NatsConnection(url, source)
        self.events: EventLog = NatsEventLog(self._connection, self._clock)

    async def open(self, *, timeout_s: float | None = None) -> None:
        """Connect and declare the streams, waiting for the server for `timeout_s` (None: for ever).

        Raises:
            DependencyUnavailable: it did not answer in time.
        """
        await self._connection.open(timeout_s)

    async def close(self) -> None:
        """Hang up; consumers and followers must have been cancelled before."""
        await self._connection.close()

    @property
    def connected(self) -> bool:
        return self._connection.connected

    def lease_cell(self, name: str) -> NatsLeaseCell:
        """Where the lease of this name is kept."""
        return NatsLeaseCell(self._connection, name)

    async def publish(self, message: Message) -> None:
        send = self._connection.store if message.stored else self._connection.send
        with self._tracing.span(f"send {message.subject}", Kind.PRODUCER, about(message, "send")):
            payload, headers = encode(message, self._source)
            await send(subject_of(message), payload, headers)
        metrics.EVENTS_PUBLISHED.labels(message.subject).inc()

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        commands = {issubclass(kind, Command) for kind in handlers}
        if commands != {agent_id is not None}:
            raise ValueError("an agent consumes its commands, everybody else events")
        routes = {subject_for(kind, agent_id): (kind, handlers[kind]) for kind in handlers}
        stream = EVENTS_STREAM if agent_id is None else COMMANDS_STREAM
        consumer = NatsConsumer(
            self._connection,
            self._clock,
            stream=stream,
            durable=durable,
            routes=routes,
            ack_wait_s=self._ack_wait_s,
            tracing=self._tracing,
        )
        await consumer.run()

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        await NatsFollower(self._connection, handlers, on_gap).run()

    async def ask(self, question: Question, answer: type[A], *, timeout_s: float) -> A:
        payload, headers = encode(question, self._source)
        reply = await asked(self._connection, question, payload, headers, timeout_s)
        return answer.model_validate_json(reply)

    async def ask_all(
        self, question: Question, answer: type[A], *, most: int, timeout_s: float
    ) -> list[A]:
        payload, headers = encode(question, self._source)
        asking = Gathering(self._connection, self._clock)
        replies = await asking.replies(question, payload, headers, most, timeout_s)
        return [answer.model_validate_json(reply) for reply in replies]

    async def answer(self, handlers: Handlers, *, agent_id: str | None = None) -> None:
        await NatsAnswerer(self._connection, handlers, agent_id).run()
