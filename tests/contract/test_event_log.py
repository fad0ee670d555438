"""The log of facts: read from any place, in order, each fact once; in memory and on NATS."""

import asyncio
from datetime import UTC, datetime

import pytest

from modelium.common import events as ev
from modelium.common.bus import Bus
from modelium.common.errors import DependencyUnavailable
from modelium.common.event_log import EventReader
from modelium.common.nats_event_log import MOST_AT_ONCE
from modelium.common.subjects import EVENTS_STREAM
from tests.contract.buses import WAIT_S, World, connected, in_thread, outside, requested
from tests.servers import Server


async def publish(bus: Bus, *models: str) -> None:
    for model in models:
        await bus.publish(requested(model))


async def read(reader: EventReader, count: int) -> list[tuple[int, str]]:
    """Place and model of the next ones, of which there must be exactly so many."""
    found: list[tuple[int, str]] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:
            found += [(event.seq, event.payload["model"]) for event in await reader.next()]
    return found


async def test_facts_are_read_from_any_place_on_in_order(world: World) -> None:
    start = await world.bus.events.position()
    names = [f"m{number}" for number in range(MOST_AT_ONCE * 2 + 5)]
    await publish(world.bus, *names)
    places = list(enumerate(names, start + 1))
    async with world.bus.events.reading(start) as reader:
        assert await read(reader, len(names)) == places
    async with world.bus.events.reading(start + 200) as reader:
        assert await read(reader, 5) == places[200:]
    assert await world.bus.events.position() == start + len(names)


async def test_a_reader_that_has_all_waits_for_more(world: World) -> None:
    await publish(world.bus, "old")
    async with world.bus.events.reading(await world.bus.events.position()) as reader:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(reader, 1))
            await publish(world.bus, "new")
        assert [model for _, model in reading.result()] == ["new"]


async def test_what_is_no_fact_is_not_in_the_log(world: World) -> None:
    start = await world.bus.events.position()
    await world.bus.publish(ev.GatewayStats(gateway_id="g", models=()))
    await publish(world.bus, "fact")
    async with world.bus.events.reading(start) as reader:
        assert await read(reader, 1) == [(start + 1, "fact")]


async def test_pages_lead_back_from_the_newest_fact(world: World) -> None:
    start = await world.bus.events.position()
    await publish(world.bus, "a", "b", "c")
    log = world.bus.events
    newest = await log.before(None, most=2)
    assert [(e.seq - start, e.payload["model"]) for e in newest] == [(3, "c"), (2, "b")]
    [oldest] = await log.before(start + 2, most=1)
    assert (oldest.subject, oldest.payload["model"]) == ("model.requested", "a")
    assert (oldest.source, oldest.time.tzinfo) == ("test", UTC)
    assert await log.before(1, most=5) == []


@pytest.mark.parametrize(
    ("payload", "kept"),
    [(b"{", "{"), (b"[1]", [1]), (b'{"occurred_at": "2026-01-02T03:04:05Z"}', None)],
)
async def test_a_fact_is_shown_whatever_is_in_it(
    world: World, payload: bytes, kept: object
) -> None:
    await world.inject("model.requested", payload)
    [event] = await world.bus.events.before(None, most=1)
    assert event.source == ""
    if kept is None:
        assert event.time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    else:
        assert event.payload == kept


async def test_a_reader_misses_and_repeats_nothing_when_the_server_was_killed(
    own_nats: Server,
) -> None:
    async with connected(own_nats) as bus, bus.events.reading(0) as reader:
        await publish(bus, "a", "b")
        assert await read(reader, 2) == [(1, "a"), (2, "b")]
        await publish(bus, "c")
        await in_thread(own_nats.kill)
        with pytest.raises(DependencyUnavailable):
            await bus.events.position()
        await in_thread(own_nats.start)
        await publish(bus, "d")
        assert await read(reader, 2) == [(3, "c"), (4, "d")]


async def test_a_log_that_has_begun_anew_is_read_from_its_beginning(own_nats: Server) -> None:
    async with connected(own_nats) as bus, bus.events.reading(0) as reader:
        await publish(bus, "a", "b")
        await read(reader, 2)
        await in_thread(own_nats.kill, own_nats.wipe, own_nats.start)
        await publish(bus, "c")
        assert await read(reader, 1) == [(1, "c")]


async def test_a_page_does_not_wait_for_facts_that_were_deleted(own_nats: Server) -> None:
    async with connected(own_nats) as bus, outside(own_nats) as client:
        await publish(bus, "a", "b", "c")
        for seq in (2, 3):
            await client.jetstream().delete_msg(EVENTS_STREAM, seq)
        assert [event.seq for event in await bus.events.before(None, most=3)] == [1]
        assert await bus.events.before(None, most=2) == []


async def test_a_reader_goes_on_when_the_server_has_forgotten_it(own_nats: Server) -> None:
    async with connected(own_nats) as bus, outside(own_nats) as client:
        async with bus.events.reading(0) as reader:
            await publish(bus, "a")
            await read(reader, 1)
            [consumer] = await client.jetstream().consumers_info(EVENTS_STREAM)
            await client.jetstream().delete_consumer(EVENTS_STREAM, consumer.name)
            await publish(bus, "b")
            assert await read(reader, 1) == [(2, "b")]
        assert await client.jetstream().consumers_info(EVENTS_STREAM) == []
