"""The log of facts over JetStream: a consumer for each reader, which the server soon forgets.

A reader pulls, so that one that is slow holds nothing in memory: what it has not read yet is in the
stream. Nothing is acknowledged; that no message was lost on the way is seen by the consumer's own
numbers, and a reader that finds a gap goes back to the last one it has.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamState

from modelium.common.boundary import cancellable
from modelium.common.clock import Clock
from modelium.common.envelope import Arrived, stored_event
from modelium.common.errors import DependencyUnavailable
from modelium.common.event_log import StoredEvent
from modelium.common.nats_connection import AWAY, NatsConnection
from modelium.common.subjects import EVENTS_STREAM

FETCH_S: Final = 5.0
MOST_AT_ONCE: Final = 100
PAUSE_S: Final = 0.2
PAGE_S: Final = 10.0
FORGET_S: Final = 30.0
"""The server forgets a consumer from which nobody has fetched for so long."""

_log = structlog.get_logger()

T = TypeVar("T")
Pull = JetStreamContext.PullSubscription


class NatsEventLog:
    """Implements `event_log.EventLog`."""

    def __init__(self, connection: NatsConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def position(self) -> int:
        return (await self._state()).last_seq

    @asynccontextmanager
    async def reading(self, after: int) -> AsyncIterator["_Reader"]:
        reader = _Reader(self._connection, self._clock, after)
        try:
            yield reader
        finally:
            await reader.close()

    async def before(self, seq: int | None, *, most: int) -> list[StoredEvent]:
        state = await self._state()
        last = state.last_seq if seq is None else min(seq - 1, state.last_seq)
        first = max(state.first_seq, last - most + 1)
        found: list[StoredEvent] = []
        if first <= last:
            found = await self._within(PAGE_S, self._between(first, last))
        return [event for event in reversed(found) if event.seq <= last]

    async def _between(self, first: int, last: int) -> list[StoredEvent]:
        """Those that are there; of the last ones some may have been deleted."""
        found: list[StoredEvent] = []
        async with self.reading(first - 1) as reader:
            await reader.open()
            while reader.pending and (not found or found[-1].seq < last):
                found += await reader.next()
        return found

    async def _state(self) -> StreamState:
        if not self._connection.connected:
            raise self._connection.unavailable("does not answer")
        js = self._connection.js
        return (await self._within(FETCH_S, js.stream_info(EVENTS_STREAM))).state

    async def _within(self, limit_s: float, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(limit_s):
                with cancellable():
                    return await work
        except AWAY as error:
            raise self._connection.unavailable(f"does not tell of its log: {error!r}") from error


class _Reader:
    def __init__(self, connection: NatsConnection, clock: Clock, after: int) -> None:
        self._connection = connection
        self._clock = clock
        self._after = after
        self._pull: Pull | None = None
        self._name = ""
        self._incarnation = 0
        self._delivered = 0
        self.pending = 0

    async def next(self) -> Sequence[StoredEvent]:
        while True:
            await self._connection.until_connected()
            try:
                if events := await self._fetched():
                    self._after = events[-1].seq
                    return events
            except (*AWAY, DependencyUnavailable) as error:
                _log.info("bus.reader_interrupted", reason=repr(error))
                await self.close()
                await self._clock.sleep(PAUSE_S)

    async def _fetched(self) -> list[StoredEvent]:
        if self._pull is None or self._incarnation != self._connection.incarnation:
            await self.close()
            await self.open()
        assert self._pull is not None
        # More than are there would be waited for.
        wanted = min(max(1, self.pending), MOST_AT_ONCE)
        try:
            with cancellable():
                messages = await self._pull.fetch(wanted, timeout=FETCH_S)
        except nats.errors.TimeoutError:
            messages = []
        if not messages:
            await self._must_be_there(self._pull)
        events = []
        for msg in messages:
            if msg.metadata.sequence.consumer != self._delivered + 1:
                await self.close()
                break
            self._delivered += 1
            self.pending = msg.metadata.num_pending or 0
            events.append(_event(msg))
        return events

    async def open(self) -> None:
        """Have the server give out what comes next; `pending` tells how much there is."""
        self._incarnation = self._connection.incarnation
        js = self._connection.js
        with cancellable():
            state = (await js.stream_info(EVENTS_STREAM)).state
            if self._after > state.last_seq:
                self._after = 0
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._after + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=FORGET_S,
                mem_storage=True,
                num_replicas=1,
            )
            self._pull = await js.pull_subscribe(">", stream=EVENTS_STREAM, config=config)
            info = await self._pull.consumer_info()
        self._name, self._delivered, self.pending = info.name, 0, info.num_pending or 0

    async def _must_be_there(self, pull: Pull) -> None:
        """Nothing came for a while: see that the server has not forgotten the consumer."""
        with cancellable():
            self.pending = (await pull.consumer_info()).num_pending or 0

    async def close(self) -> None:
        """Leave; no error if the server is away."""
        pull, self._pull = self._pull, None
        if pull is None:
            return
        with suppress(*AWAY):
            await pull.unsubscribe()
        if self._connection.connected:
            with suppress(*AWAY):
                await self._connection.js.delete_consumer(EVENTS_STREAM, self._name)


def _event(msg: Msg) -> StoredEvent:
    arrived = Arrived(msg.data, msg.headers or {}, stored_at=msg.metadata.timestamp)
    return stored_event(msg.metadata.sequence.stream, msg.subject, arrived)
