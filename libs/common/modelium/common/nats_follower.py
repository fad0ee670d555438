"""Live subscriptions: every follower gets every message that is sent while it listens.

Messages of all subjects go through one queue, so that they are handled one after the other; what
the queue cannot take is dropped by the client, which says so, and that is a gap.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from modelium.common.boundary import attempt, cancellable
from modelium.common.bus import Handlers
from modelium.common.delivery import deliver
from modelium.common.envelope import Arrived
from modelium.common.events import Message
from modelium.common.nats_connection import AWAY, NatsConnection
from modelium.common.subjects import subject_for

QUEUED: Final = 1000

_log = structlog.get_logger()


class NatsFollower:
    """Runs until cancelled; see `bus.Bus.follow`."""

    def __init__(
        self,
        connection: NatsConnection,
        handlers: Handlers,
        on_gap: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._connection = connection
        self._handlers = handlers
        self._on_gap = on_gap
        self._queue: asyncio.Queue[tuple[type[Message], Msg] | None] = asyncio.Queue(QUEUED)
        self._gap = True

    async def run(self) -> None:
        self._connection.on_gap.add(self._note_gap)
        subscriptions: list[Subscription] = []
        try:
            await self._connection.until_connected()
            for kind in self._handlers:
                subscriptions.append(await self._subscribe(kind))
            await self._handle_all()
        finally:
            self._connection.on_gap.discard(self._note_gap)
            for subscription in subscriptions:
                with suppress(*AWAY):
                    await subscription.unsubscribe()

    async def _subscribe(self, kind: type[Message]) -> Subscription:
        return await self._connection.client.subscribe(
            subject_for(kind), cb=partial(self._enqueue, kind), pending_msgs_limit=QUEUED
        )

    async def _enqueue(self, kind: type[Message], msg: Msg) -> None:
        await self._queue.put((kind, msg))

    def _note_gap(self) -> None:
        self._gap = True
        with suppress(asyncio.QueueFull):  # full: the loop looks at the flag soon enough
            self._queue.put_nowait(None)

    async def _handle_all(self) -> None:
        while True:
            if self._gap:
                await self._fill_gap()
            arrived = await self._queue.get()
            if arrived is not None:
                await self._handle(*arrived)

    async def _fill_gap(self) -> None:
        self._gap = False
        with suppress(*AWAY), cancellable():
            # Only when the server has the subscription is nothing missed any more.
            await self._connection.client.flush()
        if self._on_gap is not None and (error := await attempt(self._on_gap())) is not None:
            _log.warning("bus.gap_not_filled", reason=repr(error), exc_info=error)

    async def _handle(self, kind: type[Message], msg: Msg) -> None:
        arrived = Arrived(msg.data, msg.headers or {})
        error = await attempt(deliver(kind, arrived, self._handlers[kind]))
        if error is not None:
            _log.warning(
                "bus.follower_failed", subject=msg.subject, reason=repr(error), exc_info=error
            )
