"""Questions on every bus: asked, answered, or why not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelium.common.bus import Bus
from modelium.common.engine_log import EngineLog
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import EngineLogAsked, PlanAsked, RequestCancelAsked
from modelium.common.nats_bus import NatsBus
from modelium.common.ongoing_requests import CancelAnswer
from modelium.common.plans import Plan, PlanAnswer, PlanOutcome
from modelium.common.records import ModelState
from modelium.common.testing import yield_to_others
from tests.contract.buses import WAIT_S, World, connected, outside, running
from tests.servers import Server
from tests.system import free_port


def a_plan(question: PlanAsked) -> PlanAnswer:
    plan = Plan(
        model=question.model,
        state=ModelState.UNLOADED,
        outcome=PlanOutcome.LOAD,
        reason="needs 2.0 GiB, «slot» has 3.0 GiB free",
    )
    return PlanAnswer(plan=plan)


async def answering(question: PlanAsked) -> PlanAnswer:
    return a_plan(question)


async def failing(question: PlanAsked) -> PlanAnswer:
    raise DependencyUnavailable("The store\nis away", "Start it")


async def silent(question: PlanAsked) -> PlanAnswer:
    await asyncio.Event().wait()
    raise AssertionError


async def ask(bus: Bus, model: str = "qwen", *, timeout_s: float = WAIT_S) -> PlanAnswer:
    return await bus.ask(PlanAsked(model=model), PlanAnswer, timeout_s=timeout_s)


@asynccontextmanager
async def answered_by(bus: Bus, handler: Any) -> AsyncIterator[None]:
    """Until somebody listens there is nobody to ask."""
    async with running(bus.answer({PlanAsked: handler})):
        while True:
            await yield_to_others()
            try:
                await ask(bus, "is-anybody-there", timeout_s=0.05)
            except DependencyUnavailable as error:
                if "does not run" in error.what:
                    continue
            break
        yield


async def test_a_question_is_answered_as_its_handler_says(world: World) -> None:
    async with answered_by(world.bus, answering):
        for model in ("a", "b"):
            assert await ask(world.bus, model) == a_plan(PlanAsked(model=model))


async def test_nobody_to_ask_is_said_at_once_and_by_name(world: World) -> None:
    with pytest.raises(DependencyUnavailable, match="The orchestrator does not run"):
        await ask(world.bus)


async def test_who_has_stopped_answering_is_not_asked(world: World) -> None:
    async with answered_by(world.bus, answering):
        await ask(world.bus)
    with pytest.raises(DependencyUnavailable):
        await ask(world.bus)


async def test_an_answer_that_does_not_come_is_not_waited_for(world: World) -> None:
    async with answered_by(world.bus, silent):
        with pytest.raises(DependencyUnavailable, match="did not answer"):
            await ask(world.bus, timeout_s=0.1)


async def test_one_that_cannot_answer_says_why(world: World) -> None:
    async with answered_by(world.bus, failing):
        with pytest.raises(DependencyUnavailable, match="is away"):
            await ask(world.bus)


async def test_a_question_that_names_an_agent_is_answered_by_that_one(world: World) -> None:
    def agent(name: str) -> Any:
        async def on_asked(question: EngineLogAsked) -> EngineLog:
            return EngineLog(known=True, lines=(name, question.instance_id))

        return world.bus.answer({EngineLogAsked: on_asked}, agent_id=name)

    async def told(name: str) -> tuple[str, ...]:
        question = EngineLogAsked(agent_id=name, instance_id="qwen.1")
        while True:
            try:
                log = await world.bus.ask(question, EngineLog, timeout_s=WAIT_S)
            except DependencyUnavailable:
                await yield_to_others()  # it does not listen yet
            else:
                return log.lines

    async with running(agent("a")), running(agent("b")):
        for name in ("a", "b"):
            assert await told(name) == (name, "qwen.1")
    with pytest.raises(DependencyUnavailable, match="runtime agent does not run"):
        question = EngineLogAsked(agent_id="c", instance_id="qwen.1")
        await world.bus.ask(question, EngineLog, timeout_s=WAIT_S)


async def test_another_system_asks_with_plain_json(nats: Server) -> None:
    async with connected(nats) as bus, outside(nats) as client, answered_by(bus, answering):
        reply = await client.request("plan.asked", b'{"model": "qwen"}', timeout=WAIT_S)
        assert json.loads(reply.data)["plan"]["outcome"] == "load"
        reply = await client.request("plan.asked", b'{"model": "../etc"}', timeout=WAIT_S)
        assert "should match pattern" in (reply.headers or {})["Modelium-Reason"]
        assert reply.data == b""
        await client.publish("plan.asked", b'{"model": "nobody-waits"}')
        assert (await ask(bus)).plan is not None


async def test_of_two_that_answer_one_does(nats: Server) -> None:
    asked: list[str] = []

    async def noting(question: PlanAsked) -> PlanAnswer:
        asked.append(question.model)
        return a_plan(question)

    async with (
        connected(nats) as one,
        connected(nats) as other,
        answered_by(one, noting),
        answered_by(other, noting),
    ):
        await ask(one)
        await ask(other)
        assert asked.count("qwen") == 2


async def test_a_server_that_is_away_is_named() -> None:
    bus = NatsBus(f"nats://127.0.0.1:{free_port()}", source="test")
    with pytest.raises(DependencyUnavailable, match=r"NATS at .* does not answer"):
        await ask(bus)


async def told(_: RequestCancelAsked) -> CancelAnswer:
    return CancelAnswer(gateway_id="one", cancelled=1)


async def not_told(_: RequestCancelAsked) -> CancelAnswer:
    return CancelAnswer(gateway_id="other", cancelled=0)


async def cannot_tell(_: RequestCancelAsked) -> CancelAnswer:
    raise DependencyUnavailable("The store is away", "Start it")


async def ask_all(bus: Bus, *, most: int, timeout_s: float = WAIT_S) -> list[str]:
    question = RequestCancelAsked(request_id="r1")
    answers = await bus.ask_all(question, CancelAnswer, most=most, timeout_s=timeout_s)
    return sorted(answer.gateway_id for answer in answers)


async def test_all_are_asked_what_is_asked_of_all(world: World) -> None:
    handlers: list[Any] = [told, not_told, cannot_tell]
    work = [world.bus.answer({RequestCancelAsked: handler}) for handler in handlers]
    async with running(*work):
        async with asyncio.timeout(WAIT_S):
            # They listen one after the other; the third never answers, so the time must be up.
            while await ask_all(world.bus, most=3, timeout_s=0.1) != ["one", "other"]:
                await yield_to_others()
        assert await ask_all(world.bus, most=2) == ["one", "other"]


async def test_with_nobody_to_ask_of_all_there_are_no_answers(world: World) -> None:
    assert await ask_all(world.bus, most=1, timeout_s=0.1) == []
