"""An engine's log over HTTP; the test plays its agent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelium.common.engine_log import EngineLog
from modelium.common.events import EngineLogAsked
from modelium.common.records import AgentRecord, ModelState
from modelium.common.testing import yield_to_others
from tests.contract.buses import running
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.sse import Stream, Told, streamed

Logs = dict[str, list[str]]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


@asynccontextmanager
async def an_agent(rig: Rig, logs: Logs, agent_id: str = "local") -> AsyncIterator[None]:
    """One that has these logs, by instance; a place is a number of lines."""

    async def on_asked(question: EngineLogAsked) -> EngineLog:
        if question.instance_id not in logs:
            return EngineLog(known=False)
        log = logs[question.instance_id]
        newer = log[int(question.after or 0) :][-question.lines :]
        return EngineLog(known=True, lines=tuple(newer), mark=str(len(log)))

    await rig.around.store.agents.renew(
        AgentRecord(agent_id=agent_id, launcher="process"), ttl_s=99
    )
    answering = rig.around.bus.answer({EngineLogAsked: on_asked}, agent_id=agent_id)
    async with running(answering):
        await yield_to_others()
        yield


async def some(stream: Stream) -> list[Told]:
    return [await stream.next(), await stream.next()]


async def get(rig: Rig, query: str = "") -> tuple[int, Any]:
    async with rig.http.get(f"{rig.url}/admin/models/qwen/log{query}") as answer:
        return answer.status, await answer.json()


async def test_the_newest_lines_of_a_running_engine_are_shown(rig: Rig) -> None:
    await rig.become(state=ModelState.LOADED, generation=2, agent_id="local")
    async with an_agent(rig, {"qwen.2": ["one", "two", "three"], "qwen.1": ["old"]}):
        status, page = await get(rig, "?lines=2")
        assert (status, page["instance_id"], page["lines"]) == (200, "qwen.2", ["two", "three"])
        _, newer = await get(rig, f"?after={page['mark']}")
        assert newer["lines"] == []
        _, of_another = await get(rig, "?after=qwen.1@3")
        assert of_another["lines"] == ["one", "two", "three"]


async def test_who_has_the_log_of_an_engine_that_failed_is_looked_for(rig: Rig) -> None:
    await rig.become(state=ModelState.ERROR, generation=1, ended_generation=1)
    async with an_agent(rig, {}), an_agent(rig, {"qwen.1": ["died"]}, "other"):
        assert (await get(rig))[1]["lines"] == ["died"]


async def test_a_log_that_there_is_not_is_told_with_the_reason(rig: Rig) -> None:
    status, body = await get(rig)
    assert (status, "no engine yet" in body["error"]["message"]) == (404, True)
    await rig.become(state=ModelState.LOADED, generation=1, agent_id="local")
    status, body = await get(rig)
    assert (status, "runtime agent" in body["error"]["message"]) == (503, True)
    async with an_agent(rig, {}):
        status, body = await get(rig)
        assert (status, "qwen.1" in body["error"]["message"]) == (404, True)


async def test_who_follows_hears_each_line_once_and_of_the_next_engine(rig: Rig) -> None:
    logs: Logs = {"qwen.1": ["before"]}
    await rig.become(state=ModelState.LOADED, generation=1, agent_id="local")
    url = f"{rig.url}/admin/models/qwen/log?follow=true"
    async with an_agent(rig, logs):
        async with streamed(rig.http, url) as stream:
            assert (await stream.next()).data == {"instance_id": "qwen.1"}
            logs["qwen.1"] += ["one", "two"]
            assert [told.data["line"] for told in await some(stream)] == ["one", "two"]
            last_id = stream.last_id
        logs |= {"qwen.1": [*logs["qwen.1"], "three"], "qwen.2": ["anew"]}
        async with streamed(rig.http, url, headers={"last-event-id": last_id}) as stream:
            told = await some(stream)
            assert (told[1].event, told[1].data) == ("line", {"line": "three"})
            await rig.become(generation=2)
            told = await some(stream)
            assert [t.data for t in told] == [{"instance_id": "qwen.2"}, {"line": "anew"}]
            rig.gateway.app._gate.stop()
            async with asyncio.timeout(20):
                await stream.ended()
