"""The bus for the one orchestrator that leads: whoever does not lead publishes nothing.

Asked right before a message goes out, and given up when the lease is no longer certain: a command
must not wait for NATS longer than that. What is sent in the moment in which another takes over, and
comes after that one's first word, agents refuse by the epoch that every command carries.
"""

import asyncio
from collections.abc import Awaitable, Callable

from modelium.common.bus import A, Bus, Handlers
from modelium.common.errors import DependencyUnavailable
from modelium.common.event_log import EventLog
from modelium.common.events import Command, Message, Question
from modelium.common.lease import Lease


class NotLeading(DependencyUnavailable):
    """Another orchestrator leads, or may lead by now."""

    def __init__(self) -> None:
        super().__init__("This orchestrator does not lead", "It publishes when it does")


class FencedBus:
    """Implements `bus.Bus`; `publish` also raises `NotLeading`."""

    def __init__(self, bus: Bus, lease: Lease) -> None:
        self._bus = bus
        self._lease = lease

    @property
    def connected(self) -> bool:
        return self._bus.connected

    @property
    def events(self) -> EventLog:
        return self._bus.events

    async def publish(self, message: Message) -> None:
        epoch = self._lease.epoch
        if epoch is None:
            raise NotLeading
        if isinstance(message, Command):
            message = message.model_copy(update={"epoch": epoch})
        try:
            async with asyncio.timeout(self._lease.trusted_for_s):
                await self._bus.publish(message)
        except TimeoutError as error:
            raise NotLeading from error

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        await self._bus.consume(durable, handlers, agent_id=agent_id)

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        await self._bus.follow(handlers, on_gap=on_gap)

    async def ask(self, question: Question, answer: type[A], *, timeout_s: float) -> A:
        return await self._bus.ask(question, answer, timeout_s=timeout_s)

    async def ask_all(
        self, question: Question, answer: type[A], *, most: int, timeout_s: float
    ) -> list[A]:
        return await self._bus.ask_all(question, answer, most=most, timeout_s=timeout_s)

    async def answer(self, handlers: Handlers, *, agent_id: str | None = None) -> None:
        await self._bus.answer(handlers, agent_id=agent_id)
