"""What the bus does on NATS beside the contract of every bus."""

import asyncio
import json
import threading

import pytest
from nats.js.api import StreamConfig

from modelium.common import events as ev
from modelium.common.errors import DependencyUnavailable
from modelium.common.nats_bus import NatsBus
from modelium.common.nats_topology import declare_consumer
from modelium.common.subjects import EVENTS_STREAM, STREAMS
from tests.contract.buses import (
    WAIT_S,
    Inbox,
    connected,
    consumed,
    in_thread,
    models_of,
    nats_world,
    outside,
    requested,
    running,
)
from tests.servers import Server
from tests.system import free_port


async def test_streams_of_an_older_version_are_updated_and_keep_their_messages(
    own_nats: Server,
) -> None:
    inbox = Inbox()
    async with outside(own_nats) as client:
        jetstream = client.jetstream()
        old = StreamConfig(name=EVENTS_STREAM, subjects=["model.requested"], max_bytes=1 << 20)
        await jetstream.add_stream(old)
        await jetstream.publish("model.requested", b'{"model": "old"}')
        async with connected(own_nats) as bus, running(consumed(bus, inbox)):
            await inbox.until(1)
            config = (await jetstream.stream_info(EVENTS_STREAM)).config
    wanted = next(stream for stream in STREAMS if stream.name == EVENTS_STREAM)
    assert models_of(inbox) == ["old"]
    assert set(config.subjects or []) == set(wanted.subjects)
    assert config.max_bytes == wanted.max_bytes


async def test_a_consumer_of_an_older_version_takes_new_subjects(own_nats: Server) -> None:
    requests, removals = Inbox(), Inbox()
    async with connected(own_nats) as bus:
        async with running(consumed(bus, requests)):
            await bus.publish(requested("first"))
            await requests.until(1)
        handlers = {ev.ModelRequested: requests, ev.ModelRemoved: removals}
        async with running(bus.consume("registry", handlers)):
            await bus.publish(requested("second"))
            await requests.until(2)
            await bus.publish(ev.ModelRemoved(model="third", path="/m"))
            await removals.until(1)
    assert models_of(requests) == ["first", "second"]


async def test_a_handler_may_take_longer_than_the_server_waits_for_an_answer(nats: Server) -> None:
    started: list[ev.Message] = []
    second = Inbox()

    async def slow(message: ev.ModelRequested) -> None:
        started.append(message)
        if message.model == "slow":
            await asyncio.to_thread(waited.wait, 3.0)
        await second(message)

    waited = threading.Event()
    async with (
        nats_world(nats.url),
        connected(nats, ack_wait_s=0.6) as bus,
        running(bus.consume("registry", {ev.ModelRequested: slow})),
    ):
        await bus.publish(requested("slow"))
        await bus.publish(requested("next"))
        await second.until(2)
    assert [message.model for message in second.messages] == ["slow", "next"]
    assert len(started) == 2


async def test_the_message_of_a_consumer_that_died_is_delivered_to_another(nats: Server) -> None:
    inbox = Inbox()
    async with nats_world(nats.url), connected(nats, ack_wait_s=0.5) as bus:
        await bus.publish(requested("orphan"))
        async with outside(nats) as client:
            subjects = ("model.requested",)
            await declare_consumer(
                client.jetstream(), EVENTS_STREAM, "registry", subjects, ack_wait_s=0.5
            )
            pull = await client.jetstream().pull_subscribe_bind("registry", EVENTS_STREAM)
            await pull.fetch(1, timeout=5)  # and never an answer
            async with running(consumed(bus, inbox)):
                await inbox.until(1)
    assert models_of(inbox) == ["orphan"]


async def test_followers_are_told_of_the_gap_after_a_reconnect(own_nats: Server) -> None:
    gaps: asyncio.Queue[None] = asyncio.Queue()
    inbox = Inbox()

    async def on_gap() -> None:
        gaps.put_nowait(None)

    async with (
        asyncio.timeout(WAIT_S),
        connected(own_nats) as bus,
        running(bus.follow({ev.ModelRequested: inbox}, on_gap=on_gap)),
    ):
        await gaps.get()
        await in_thread(own_nats.kill, own_nats.start)
        await gaps.get()
        await bus.publish(requested("after"))
        await inbox.until(1)
    assert models_of(inbox) == ["after"]


async def test_a_follower_that_is_too_slow_is_told_of_the_gap(nats: Server) -> None:
    gaps: asyncio.Queue[None] = asyncio.Queue()
    blocked = asyncio.Event()

    async def on_gap() -> None:
        gaps.put_nowait(None)

    async def slow(message: ev.GatewayStats) -> None:
        await blocked.wait()

    async with (
        asyncio.timeout(WAIT_S),
        connected(nats) as bus,
        running(bus.follow({ev.GatewayStats: slow}, on_gap=on_gap)),
    ):
        await gaps.get()
        for _ in range(3000):
            await bus.publish(ev.GatewayStats(gateway_id="g", models=()))
        await bus.publish(requested("last"))  # answered after all of those have arrived
        blocked.set()
        await gaps.get()


async def test_a_stored_message_has_the_headers_of_a_cloud_event(nats: Server) -> None:
    async with nats_world(nats.url) as world, outside(nats) as client:
        message = requested("qwen")
        await world.bus.publish(message)
        stored = await client.jetstream().get_last_msg(EVENTS_STREAM, "model.requested")
    assert stored.headers == {
        "ce-specversion": "1.0",
        "ce-id": message.message_id,
        "ce-type": "io.modelium.model.requested.v1",
        "ce-source": "test",
        "ce-time": message.occurred_at.isoformat().replace("+00:00", "Z"),
        "ce-datacontenttype": "application/json",
        "Nats-Msg-Id": message.message_id,
    }
    assert json.loads(stored.data or b"")["model"] == "qwen"


async def test_a_dead_letter_says_where_it_is_from(nats: Server) -> None:
    inbox = Inbox()
    async with nats_world(nats.url) as world, outside(nats) as client:
        await world.inject("model.requested", b"garbage")
        await world.bus.publish(requested("good"))
        async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
            await inbox.until(1)
        letter = await client.jetstream().get_last_msg("MODELIUM_DEAD", "dead.model.requested")
        sequence = (await client.jetstream().stream_info(EVENTS_STREAM)).state.first_seq
    assert letter.headers is not None
    assert letter.headers["Nats-Msg-Id"] == f"dlq-{EVENTS_STREAM}-{sequence}"
    assert letter.headers["Modelium-Stream-Sequence"] == str(sequence)


async def test_open_says_what_to_do_when_no_server_answers() -> None:
    bus = NatsBus(f"nats://127.0.0.1:{free_port()}", source="test")
    with pytest.raises(DependencyUnavailable, match=r"does not answer.*nats\.url"):
        await bus.open(timeout_s=0.3)
    await bus.close()


async def test_open_waits_for_a_server_that_starts_later(own_nats: Server) -> None:
    await in_thread(own_nats.stop)
    bus = NatsBus(own_nats.url, source="test")
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        group.create_task(bus.open())
        group.create_task(in_thread(own_nats.start))
    assert bus.connected
    await bus.close()


async def test_commands_and_events_cannot_be_mixed() -> None:
    bus = NatsBus("nats://127.0.0.1:1", source="test")
    with pytest.raises(ValueError, match="an agent consumes its commands"):
        await bus.consume("x", {ev.LoadModel: Inbox(), ev.ModelRequested: Inbox()}, agent_id="a")
