"""Facts about engines outlive an absence of NATS."""

import asyncio

from modelium.common.events import RuntimeUnloaded
from modelium.common.testing import FakeClock
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.facts import fact
from tests.agent_kit import AwayBus, a_record


async def test_an_event_is_published_as_soon_as_nats_is_back(clock: FakeClock) -> None:
    bus, event = AwayBus(), fact(RuntimeUnloaded, a_record())
    telling = asyncio.ensure_future(Announcer(bus, clock)(event))
    await clock.until_sleeping()
    await clock.advance(3600)
    assert not telling.done()
    bus.connected = True
    await clock.advance(1)
    await telling
    assert bus.published == [event]


async def test_an_agent_that_is_stopped_does_not_wait_for_nats(clock: FakeClock) -> None:
    announcer = Announcer(AwayBus(), clock)
    announcer.hurry()
    async with asyncio.timeout(5):
        await announcer(fact(RuntimeUnloaded, a_record()))
