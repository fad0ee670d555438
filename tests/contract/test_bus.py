"""What every bus does, in memory and on NATS; what only NATS can do is in `test_nats_bus.py`."""

import json

import pytest

from modelium.common import events as ev
from modelium.common.bus import Handlers
from modelium.common.errors import DependencyUnavailable, IllegalTransition, Reject, RetryLater
from modelium.common.testing import yield_to_others
from tests.contract.buses import Inbox, World, load_of, requested, running


async def test_a_message_arrives_as_it_was_published(world: World) -> None:
    inbox, sent = Inbox(), load_of("local")
    await world.bus.publish(sent)
    async with running(world.bus.consume("agent-local", {ev.LoadModel: inbox}, agent_id="local")):
        assert await inbox.until(1) == [sent]


async def test_messages_of_all_kinds_are_handled_in_stream_order(world: World) -> None:
    inbox = Inbox()
    sent: list[ev.Message] = []
    for number in range(10):
        sent += [requested(f"m{number}"), ev.ModelRemoved(model=f"m{number}", path="/m")]
    for message in sent:
        await world.bus.publish(message)
    handlers: Handlers = {ev.ModelRemoved: inbox, ev.ModelRequested: inbox}
    async with running(world.bus.consume("registry", handlers)):
        assert await inbox.until(20) == sent


async def test_one_message_is_handled_at_a_time(world: World) -> None:
    at_work: list[ev.Message] = []
    together: list[int] = []
    inbox = Inbox()

    async def slow(message: ev.ModelRequested) -> None:
        at_work.append(message)
        await yield_to_others(3)
        together.append(len(at_work))
        at_work.remove(message)
        await inbox(message)

    for _ in range(5):
        await world.bus.publish(requested())
    async with running(world.bus.consume("registry", {ev.ModelRequested: slow})):
        await inbox.until(5)
    assert together == [1] * 5


async def test_a_handler_that_fails_gets_the_message_again(world: World) -> None:
    inbox = Inbox(RuntimeError("once"))
    await world.bus.publish(requested())
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        first, second = await inbox.until(2)
    assert first == second
    assert await world.dead_letters() == []


async def test_retry_later_delivers_again_and_lets_others_pass(world: World) -> None:
    inbox = Inbox(RetryLater("not yet", delay_s=0.3))
    for model in ("late", "early"):
        await world.bus.publish(requested(model))
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        handled = await inbox.until(3)
    assert [message.model for message in handled] == ["late", "early", "late"]


async def test_retry_later_is_not_limited_and_does_not_count_as_a_failure(world: World) -> None:
    patient = [RetryLater("not yet", delay_s=0.01) for _ in range(8)]
    inbox = Inbox(*patient, RuntimeError("once"))
    await world.bus.publish(requested())
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        await inbox.until(10)
    assert await world.dead_letters() == []


async def test_a_dependency_that_is_away_is_waited_for(world: World) -> None:
    inbox = Inbox(DependencyUnavailable("Redis is away", "Start it"))
    await world.bus.publish(requested())
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        await inbox.until(2)
    assert await world.dead_letters() == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Reject("no such model: qwen"), "no such model: qwen"),
        (IllegalTransition("loaded", "ModelAnalyzing"), "ModelAnalyzing is not allowed in state"),
    ],
)
async def test_what_can_never_be_handled_becomes_a_dead_letter(
    world: World, error: Exception, reason: str
) -> None:
    inbox, sent = Inbox(error), requested("qwen")
    for message in (sent, requested("next")):
        await world.bus.publish(message)
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        await inbox.until(2)
    [letter] = await world.dead_letters()
    assert letter.subject == "dead.model.requested"
    assert ev.ModelRequested.model_validate_json(letter.payload) == sent
    assert reason in letter.reason


async def test_the_fifth_failure_makes_a_dead_letter(world: World) -> None:
    inbox = Inbox(*(RuntimeError(f"failure {number}") for number in range(1, 6)))
    await world.bus.publish(requested("poison"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        await inbox.until(5)
        await world.bus.publish(requested("next"))
        handled = await inbox.until(6)
    assert [message.model for message in handled] == ["poison"] * 5 + ["next"]
    [letter] = await world.dead_letters()
    assert letter.reason == "failed 5 times: RuntimeError: failure 5"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff not json", "payload: Invalid JSON"),
        (b'["a", "list"]', "payload: Input should be"),
        (b"{}", "model: Field required"),
        (b'{"model": "../etc"}', "model: String should match pattern"),
    ],
)
async def test_garbage_becomes_a_dead_letter_and_stops_nobody(
    world: World, payload: bytes, reason: str
) -> None:
    inbox = Inbox()
    await world.inject("model.requested", payload)
    await world.bus.publish(requested("good"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        [handled] = await inbox.until(1)
    [letter] = await world.dead_letters()
    assert handled.model == "good"
    assert letter.payload == payload
    assert reason in letter.reason


async def test_a_message_written_by_hand_keeps_its_id_on_redelivery(world: World) -> None:
    inbox = Inbox(RetryLater("once", delay_s=0.01))
    payload = json.dumps({"path": "/models/qwen", "unknown": "is ignored"}).encode()
    await world.inject("model.discovered", payload)
    async with running(world.bus.consume("registry", {ev.ModelDiscovered: inbox})):
        first, second = await inbox.until(2)
    assert first.path == "/models/qwen"
    assert first.message_id == second.message_id
    assert first.occurred_at == second.occurred_at


async def test_two_messages_written_by_hand_have_two_ids(world: World) -> None:
    inbox = Inbox()
    for _ in range(2):
        await world.inject("model.discovered", b'{"path": "/models/qwen"}')
    async with running(world.bus.consume("registry", {ev.ModelDiscovered: inbox})):
        first, second = await inbox.until(2)
    assert first.message_id != second.message_id


async def test_headers_name_a_message_that_does_not(world: World) -> None:
    inbox = Inbox()
    headers = {"ce-id": "outside-1", "ce-time": "2026-01-01T00:00:00Z"}
    await world.inject("model.discovered", b'{"path": "/models/qwen"}', headers)
    async with running(world.bus.consume("registry", {ev.ModelDiscovered: inbox})):
        [handled] = await inbox.until(1)
    assert handled.message_id == "outside-1"
    assert handled.occurred_at.isoformat() == "2026-01-01T00:00:00+00:00"


async def test_the_same_message_id_is_stored_once(world: World) -> None:
    inbox, twice = Inbox(), requested("twice")
    for _ in range(3):
        await world.bus.publish(twice)
    await world.bus.publish(requested("last"))
    async with running(world.bus.consume("registry", {ev.ModelRequested: inbox})):
        handled = await inbox.until(2)
    assert [message.model for message in handled] == ["twice", "last"]
