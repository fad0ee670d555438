"""Who gets which message, on every bus: durable consumers, agents, followers."""

import asyncio

from modelium.common import events as ev
from modelium.common.bus import Handlers
from modelium.common.envelope import TRACEPARENT
from tests.contract.buses import Inbox, World, load_of, requested, running

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_durable_position_survives_its_consumer(world: World) -> None:
    before, after = Inbox(), Inbox()
    await world.bus.publish(requested("first"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: before})):
        await before.until(1)
    await world.bus.publish(requested("while"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: after})):
        [handled] = await after.until(1)
    assert handled.model == "while"


async def test_a_handler_that_was_cancelled_leaves_its_message_to_the_next(world: World) -> None:
    started, inbox = asyncio.Event(), Inbox()

    async def stuck(message: ev.ModelRequested) -> None:
        started.set()
        await asyncio.Event().wait()

    await world.bus.publish(requested("unfinished"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: stuck})):
        await started.wait()
    async with (
        asyncio.timeout(5),
        running(world.bus.consume("registry", {ev.ModelRequested: inbox})),
    ):
        [handled] = await inbox.until(1)
    assert handled.model == "unfinished"


async def test_every_durable_gets_every_message(world: World) -> None:
    registry, brain = Inbox(), Inbox()
    await world.bus.publish(requested())
    async with running(
        world.bus.consume("registry", {ev.ModelRequested: registry}),
        world.bus.consume("brain", {ev.ModelRequested: brain}),
    ):
        assert await registry.until(1) == await brain.until(1)


async def test_instances_of_one_durable_share_the_messages(world: World) -> None:
    inbox = Inbox()
    consume: Handlers = {ev.ModelRequested: inbox}
    async with running(
        world.bus.consume("registry", consume), world.bus.consume("registry", consume)
    ):
        for number in range(10):
            await world.bus.publish(requested(f"m{number}"))
        handled = await inbox.until(10)
    assert sorted(message.model for message in handled) == [f"m{n}" for n in range(10)]


async def test_a_command_reaches_its_agent_only(world: World) -> None:
    here, there = Inbox(), Inbox()
    async with running(
        world.bus.consume("agent-a", {ev.LoadModel: here}, agent_id="a"),
        world.bus.consume("agent-b", {ev.LoadModel: there}, agent_id="b"),
    ):
        for agent in ("a", "b", "a"):
            await world.bus.publish(load_of(agent))
        await here.until(2)
        await there.until(1)
    assert {command.agent_id for command in here.messages} == {"a"}
    assert {command.agent_id for command in there.messages} == {"b"}


async def test_what_a_handler_publishes_carries_the_trace_of_its_message(world: World) -> None:
    traces: list[str | None] = []
    inbox = Inbox()

    async def note(message: ev.ModelRequested) -> None:
        traces.append(TRACEPARENT.get())
        await inbox(message)

    async def answer(message: ev.ModelDiscovered) -> None:
        await world.bus.publish(requested())

    await world.inject("model.discovered", b'{"path": "/m"}', {"traceparent": TRACE})
    async with running(
        world.bus.consume("registry", {ev.ModelDiscovered: answer}),
        world.bus.consume("brain", {ev.ModelRequested: note}),
    ):
        await inbox.until(1)
    assert traces == [TRACE]
    assert TRACEPARENT.get() is None


async def test_followers_get_what_is_sent_while_they_listen(world: World) -> None:
    first, second, standing = Inbox(), Inbox(), asyncio.Barrier(3)
    figures = ev.GatewayStats(gateway_id="g", models=())
    await world.bus.publish(requested("before"))

    async def stand() -> None:
        await standing.wait()

    handlers: list[Handlers] = [
        {ev.ModelRequested: inbox, ev.GatewayStats: inbox} for inbox in (first, second)
    ]
    async with running(*(world.bus.follow(each, on_gap=stand) for each in handlers)):
        await standing.wait()
        stored = requested("after")
        await world.bus.publish(stored)
        await world.bus.publish(figures)
        assert await first.until(2) == [stored, figures]
        assert await second.until(2) == [stored, figures]


async def test_a_follower_that_raises_goes_on_with_the_next_message(world: World) -> None:
    inbox, standing = Inbox(RuntimeError("once")), asyncio.Event()

    async def stand() -> None:
        standing.set()

    async with running(world.bus.follow({ev.ModelRequested: inbox}, on_gap=stand)):
        await standing.wait()
        for model in ("bad", "good"):
            await world.bus.publish(requested(model))
        handled = await inbox.until(2)
    assert [message.model for message in handled] == ["bad", "good"]


async def test_a_follower_passes_over_garbage(world: World) -> None:
    inbox, standing = Inbox(), asyncio.Event()

    async def stand() -> None:
        standing.set()

    async with running(world.bus.follow({ev.GatewayStats: inbox}, on_gap=stand)):
        await standing.wait()
        await world.inject("gateway.stats", b"garbage")
        await world.inject("gateway.stats", b'{"gateway_id": "g", "models": []}')
        [handled] = await inbox.until(1)
    assert handled.gateway_id == "g"
