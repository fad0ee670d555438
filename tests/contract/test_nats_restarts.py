"""What the bus does when NATS goes away, comes back, comes back empty, or forgets something."""

import asyncio

from modelium.common import events as ev
from modelium.common.subjects import EVENTS_STREAM
from tests.contract.buses import (
    Inbox,
    connected,
    consumed,
    in_thread,
    models_of,
    outside,
    requested,
    running,
)
from tests.servers import Server


async def test_consumers_go_on_after_the_server_was_killed(own_nats: Server) -> None:
    inbox = Inbox()
    async with connected(own_nats) as bus, running(consumed(bus, inbox)):
        await bus.publish(requested("before"))
        await inbox.until(1)
        await in_thread(own_nats.kill, own_nats.start)
        await bus.publish(requested("after"))
        await inbox.until(2)
    assert models_of(inbox) == ["before", "after"]


async def test_consumers_go_on_after_the_server_came_back_empty(own_nats: Server) -> None:
    inbox = Inbox()
    async with connected(own_nats) as bus, running(consumed(bus, inbox)):
        await bus.publish(requested("before"))
        await inbox.until(1)
        await in_thread(own_nats.kill, own_nats.wipe, own_nats.start)
        await bus.publish(requested("after"))
        await inbox.until(2)
    assert models_of(inbox) == ["before", "after"]


async def test_publish_waits_for_a_server_that_is_away(own_nats: Server) -> None:
    inbox = Inbox()
    async with connected(own_nats) as bus:
        await in_thread(own_nats.kill)
        async with asyncio.TaskGroup() as group:
            group.create_task(bus.publish(requested("patient")))
            group.create_task(in_thread(own_nats.start))
        async with running(consumed(bus, inbox)):
            await inbox.until(1)
    assert models_of(inbox) == ["patient"]


async def test_what_is_not_stored_is_dropped_at_once_while_the_server_is_away(
    own_nats: Server,
) -> None:
    async with connected(own_nats) as bus:
        await in_thread(own_nats.kill)
        async with asyncio.timeout(1):
            await bus.publish(ev.GatewayStats(gateway_id="g", models=()))


async def test_connected_follows_the_server(own_nats: Server) -> None:
    async with connected(own_nats) as bus:
        assert bus.connected
        await in_thread(own_nats.kill)
        async with asyncio.timeout(5):
            while bus.connected:
                await asyncio.to_thread(lambda: None)


async def test_a_deleted_consumer_is_made_again(own_nats: Server) -> None:
    inbox = Inbox()
    async with (
        connected(own_nats) as bus,
        outside(own_nats) as client,
        running(consumed(bus, inbox)),
    ):
        await bus.publish(requested("before"))
        await inbox.until(1)
        await client.jetstream().delete_consumer(EVENTS_STREAM, "registry")
        await bus.publish(requested("after"))
        await inbox.until(3)
    assert set(models_of(inbox)) == {"before", "after"}


async def test_a_deleted_stream_is_made_again(own_nats: Server) -> None:
    inbox = Inbox()
    async with (
        connected(own_nats) as bus,
        outside(own_nats) as client,
        running(consumed(bus, inbox)),
    ):
        await bus.publish(requested("before"))
        await inbox.until(1)
        await client.jetstream().delete_stream(EVENTS_STREAM)
        await bus.publish(requested("after"))
        while "after" not in models_of(inbox):  # the server may bring "before" back
            await inbox.until(len(inbox.messages) + 1)
