"""Operators see what gateways answer, and end it: at any gateway, waiting or at an engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelium.common.api_keys import Scope
from tests.integration.gateway_rig import Rig, running_gateway


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


@pytest.fixture
async def beside(rig: Rig) -> AsyncIterator[Rig]:
    """A second gateway of the same system."""
    async with running_gateway(beside=rig) as second:
        await rig.until(lambda: rig.gateway.live.board.gateways == 2)
        await rig.until(lambda: second.gateway.live.board.gateways == 2)
        yield second


async def requests(rig: Rig, **headers: Any) -> Any:
    async with rig.http.get(f"{rig.url}/admin/requests", **headers) as response:
        assert response.status == 200, await response.text()
        return (await response.json())["requests"]


async def cancel(rig: Rig, request_id: str) -> tuple[int, Any]:
    async with rig.http.delete(f"{rig.url}/admin/requests/{request_id}") as response:
        return response.status, await response.json()


async def test_requests_of_all_gateways_are_listed_the_oldest_first(rig: Rig, beside: Rig) -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(rig.chat(None))
        await rig.waiting()
        second = group.create_task(beside.chat(None, stream=True))
        await beside.waiting()
        for asked in (rig, beside):
            one, other = await requests(asked)
            assert (one["gateway_id"], one["stream"]) == ("gateway-test", False)
            assert (other["gateway_id"], other["stream"]) == ("gateway-beside", True)
            assert (one["state"], one["position"], one["key_id"]) == ("waiting", 1, None)
            assert (one["model"], one["path"]) == ("qwen", "/v1/chat/completions")
            assert one["since"] < other["since"]
        _, url = await rig.engine()
        await rig.loaded(url)
        await beside.until(lambda: first.done() and second.done())
    assert await requests(rig) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_waiting_request_ends_at_whichever_gateway_it_is(
    rig: Rig, beside: Rig, stream: bool
) -> None:
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(beside.chat(None, stream=stream))
        await beside.waiting()
        [request] = await requests(rig)
        assert await cancel(rig, request["id"]) == (202, {"id": request["id"], "cancelled": 1})
    status, told = asked.result()
    if stream:
        assert status == 200
        assert "request_cancelled" in told
        assert "[DONE]" not in told
    else:
        assert (status, told["error"]["code"]) == (503, "request_cancelled")
    assert beside.gateway.room.count("qwen") == 0
    assert beside.gateway.stats.of("qwen").left == 1


async def test_the_engine_stops_when_a_running_request_is_ended(rig: Rig, beside: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    await beside.until(lambda: beside.gateway.holding.serves("qwen"))
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(beside.chat(None, max_tokens=100_000))
        await rig.until(lambda: stub.running == 1)
        [request] = await requests(rig)
        assert (request["state"], request["position"]) == ("running", None)
        assert (await cancel(rig, request["id"]))[0] == 202
        status, told = await asked
        assert (status, told["error"]["code"]) == (503, "request_cancelled")
        await rig.until(lambda: stub.running == 0)
    assert beside.gateway.stats.of("qwen").left == 1
    assert beside.gateway.stats.active == 0
    assert (await beside.chat(None))[0] == 200, "the gateway goes on"


async def test_a_stream_that_has_begun_ends_with_an_event_that_says_why(rig: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    async with rig.post(messages=[], stream=True, max_tokens=100_000) as response:
        await response.content.readline()
        [request] = await requests(rig)
        assert (await cancel(rig, request["id"]))[0] == 202
        last = (await response.text()).rsplit("data: ", 1)[1]
        assert json.loads(last)["error"]["code"] == "request_cancelled"
        await rig.until(lambda: stub.running == 0)


async def test_what_nobody_has_cannot_be_ended(rig: Rig) -> None:
    status, told = await cancel(rig, "who/knows")
    assert (status, told["error"]["code"]) == (404, "not_found")


async def test_a_client_s_own_id_names_its_request(rig: Rig) -> None:
    headers = {"x-request-id": "mine/1"}
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(rig.chat(headers))
        await rig.waiting()
        [request] = await requests(rig)
        assert request["id"] == "mine/1"
        assert (await cancel(rig, "mine/1"))[0] == 202
    assert asked.result()[0] == 503


async def test_what_it_waited_is_told_of_one_that_runs() -> None:
    async with running_gateway(authentication="keys") as rig:
        stub, url = await rig.engine(chunk_delay_s=0.05)
        key = await rig.key(name="app")
        admin = await rig.key(scopes=(Scope.ADMIN,))
        async with rig.http.get(f"{rig.url}/admin/requests", headers=key) as response:
            assert response.status == 403
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(rig.chat(key, stream=True, max_tokens=100_000))
            await rig.waiting()
            await rig.loaded(url)
            await rig.until(lambda: stub.running == 1)
            [request] = await requests(rig, headers=admin)
            assert (request["state"], request["organization"]) == ("running", "acme")
            assert request["waited_s"] > 0
            assert request["key_id"]
            asked.cancel()


async def test_it_is_said_that_the_others_cannot_be_asked(rig: Rig) -> None:
    rig.around.bus.connected = False
    async with rig.http.get(f"{rig.url}/admin/requests") as response:
        assert response.status == 503
