"""Facts about engines outlive an absence of NATS."""

import asyncio
from collections.abc import Awaitable, Callable

from modelium.common.bus import Handlers
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message, RuntimeUnloaded
from modelium.common.testing import FakeClock
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.facts import fact
from tests.agent_kit import a_record


class _AwayBus:
    """NATS is away until the test says otherwise."""

    def __init__(self) -> None:
        self.connected = False
        self.published: list[Message] = []

    async def publish(self, message: Message) -> None:
        if not self.connected:
            raise DependencyUnavailable("NATS is away", "Start it.")
        self.published.append(message)

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        raise NotImplementedError

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        raise NotImplementedError


async def test_an_event_is_published_as_soon_as_nats_is_back(clock: FakeClock) -> None:
    bus, event = _AwayBus(), fact(RuntimeUnloaded, a_record())
    telling = asyncio.ensure_future(Announcer(bus, clock)(event))
    await clock.until_sleeping()
    await clock.advance(3600)
    assert not telling.done()
    bus.connected = True
    await clock.advance(1)
    await telling
    assert bus.published == [event]


async def test_an_agent_that_is_stopped_does_not_wait_for_nats(clock: FakeClock) -> None:
    announcer = Announcer(_AwayBus(), clock)
    announcer.hurry()
    async with asyncio.timeout(5):
        await announcer(fact(RuntimeUnloaded, a_record()))
