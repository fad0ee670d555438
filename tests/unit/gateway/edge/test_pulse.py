"""Signs of life for streams that wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelium.common.testing import FakeClock
from modelium.gateway.edge.call import Event
from modelium.gateway.edge.client import Client
from modelium.gateway.edge.pulse import COMMENT_EVERY_S, Pulse


class Wire:
    """What one client gets; `stuck` clients do not read, `broken` ones raise."""

    def __init__(self, clock: FakeClock, *, stuck: bool = False, broken: bool = False) -> None:
        self.comments = 0
        self.broken = broken
        self.stuck = stuck
        self.client = Client(self._send, "id-1", clock)

    async def _send(self, event: Event) -> None:
        if self.broken:
            raise ValueError("it was sent out of turn")
        if self.stuck:
            await asyncio.Event().wait()
        self.comments += event.get("body", b"").startswith(b": modelium ")


@asynccontextmanager
async def running(clock: FakeClock) -> AsyncIterator[Pulse]:
    pulse = Pulse(clock)
    task = asyncio.ensure_future(pulse.run())
    yield pulse
    task.cancel()


async def seconds(clock: FakeClock, count: float) -> None:
    for _ in range(round(count * 10)):
        await clock.advance(0.1)


async def test_a_stream_without_a_byte_is_begun_and_gets_comments_on_a_wall_clock() -> None:
    clock = FakeClock()
    wire = Wire(clock)
    async with running(clock) as pulse:
        pulse.begin(wire.client)
        await seconds(clock, COMMENT_EVERY_S - 1)
        assert (wire.comments, wire.client.started) == (0, False)
        await seconds(clock, 2)
        assert (wire.comments, wire.client.started) == (1, True)
        await seconds(clock, 4 * COMMENT_EVERY_S)
    assert 3 <= wire.comments <= 5


async def test_it_ends_with_the_first_byte_and_when_the_stream_ends() -> None:
    clock = FakeClock()
    begun, ended = Wire(clock), Wire(clock)
    async with running(clock) as pulse:
        pulse.begin(begun.client)
        pulse.begin(ended.client)
        await begun.client.start_stream()
        await begun.client.body(b"data: 1\n\n")
        pulse.end(ended.client)
        await seconds(clock, 3 * COMMENT_EVERY_S)
    assert (begun.comments, ended.comments) == (0, 0)


async def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    clock = FakeClock()
    stuck, other = Wire(clock, stuck=True), Wire(clock)
    async with running(clock) as pulse:
        pulse.begin(stuck.client)
        pulse.begin(other.client)
        await seconds(clock, 2 * COMMENT_EVERY_S)
    assert other.comments >= 1


async def test_what_follows_a_comment_waits_for_one_that_its_reader_holds_up() -> None:
    clock = FakeClock()
    wire = Wire(clock, stuck=True)
    async with running(clock) as pulse:
        pulse.begin(wire.client)
        await seconds(clock, COMMENT_EVERY_S + 1)
        body = asyncio.ensure_future(wire.client.body(b"data: 1\n\n"))
        await seconds(clock, 1)
        assert not body.done()
        body.cancel()


async def test_a_comment_that_fails_ends_nobody_elses() -> None:
    clock = FakeClock()
    broken, other = Wire(clock, broken=True), Wire(clock)
    async with running(clock) as pulse:
        pulse.begin(broken.client)
        pulse.begin(other.client)
        await seconds(clock, 3 * COMMENT_EVERY_S)
    assert other.comments >= 2
