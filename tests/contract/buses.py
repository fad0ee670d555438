"""One bus contract, two worlds: in memory and on a real NATS server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from modelium.common import events as ev
from modelium.common.bus import Bus
from modelium.common.envelope import REASON_HEADER
from modelium.common.events import Message
from modelium.common.nats_bus import NatsBus
from modelium.common.subjects import DEAD_STREAM, STREAMS
from modelium.common.testing import DeadLetter, InMemoryBus, a_descriptor
from tests.servers import Server

WAIT_S = 15.0
NOT_STORED = ("gateway.", "agent.", "metrics.")


def requested(model: str = "qwen", **changes: Any) -> ev.ModelRequested:
    return ev.ModelRequested(model=model, **changes)


def load_of(agent_id: str) -> ev.LoadModel:
    return ev.LoadModel(
        agent_id=agent_id,
        model="qwen",
        instance_id="qwen.1",
        generation=1,
        device_ids=("cpu-0",),
        path="/models/qwen",
        fingerprint="f1",
        descriptor=a_descriptor(),
        reserve_bytes=1,
        kv_cache_bytes=0,
        context_length=0,
    )


class World(Protocol):
    """A broker with one bus connected to it, seen from outside."""

    bus: Bus

    async def inject(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish anything, as another system could."""

    async def dead_letters(self) -> list[DeadLetter]:
        """All that were kept so far."""


class MemoryWorld:
    def __init__(self) -> None:
        self._bus = InMemoryBus()
        self.bus: Bus = self._bus

    async def inject(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self._bus.inject(subject, payload, headers)

    async def dead_letters(self) -> list[DeadLetter]:
        return self._bus.dead_letters


class NatsWorld:
    def __init__(self, bus: Bus, outside: Client) -> None:
        self.bus = bus
        self._outside = outside

    async def inject(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        if subject.startswith(NOT_STORED):
            await self._outside.publish(subject, payload, headers=dict(headers or {}))
            return
        await self._outside.jetstream().publish(subject, payload, headers=dict(headers or {}))

    async def dead_letters(self) -> list[DeadLetter]:
        jetstream = self._outside.jetstream()
        state = (await jetstream.stream_info(DEAD_STREAM)).state
        kept = range(max(1, state.first_seq), state.last_seq + 1)  # 0: there was never one
        letters = [await jetstream.get_msg(DEAD_STREAM, seq) for seq in kept]
        return [
            DeadLetter(
                letter.subject or "", letter.data or b"", (letter.headers or {})[REASON_HEADER]
            )
            for letter in letters
        ]


async def empty(jetstream: JetStreamContext) -> None:
    """Forget messages and positions; a stream deleted and made again at once has them back."""
    for stream in STREAMS:
        with suppress(NotFoundError):
            await jetstream.purge_stream(stream.name)
            for consumer in await jetstream.consumers_info(stream.name):
                await jetstream.delete_consumer(stream.name, consumer.name)


@asynccontextmanager
async def nats_world(url: str) -> AsyncIterator[NatsWorld]:
    """With empty streams."""
    outside = Client()
    await outside.connect(url)
    await empty(outside.jetstream())
    bus = NatsBus(url, source="test")
    await bus.open(timeout_s=WAIT_S)
    try:
        yield NatsWorld(bus, outside)
    finally:
        await bus.close()
        await outside.close()


class Inbox:
    """A handler that keeps what it gets; the errors given are raised first, one per message."""

    def __init__(self, *errors: Exception) -> None:
        self.messages: list[Any] = []
        self._errors = list(errors)
        self._arrived = asyncio.Condition()

    async def __call__(self, message: Message) -> None:
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()
        if self._errors:
            raise self._errors.pop(0)

    async def until(self, count: int) -> list[Any]:
        """Wait for the `count`th message."""
        async with asyncio.timeout(WAIT_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let `work` go on beside the block, and end it after; its own error fails the test."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[NatsBus]:
    bus = NatsBus(server.url, source="test", **options)
    await bus.open(timeout_s=WAIT_S)
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def outside(server: Server) -> AsyncIterator[Client]:
    client = Client()
    await client.connect(server.url)
    try:
        yield client
    finally:
        await client.close()


def consumed(bus: NatsBus, inbox: Inbox) -> Any:
    return bus.consume("registry", {ev.ModelRequested: inbox})


async def in_thread(*calls: Any) -> None:
    for call in calls:
        await asyncio.to_thread(call)


def models_of(inbox: Inbox) -> list[str]:
    return [message.model for message in inbox.messages]
