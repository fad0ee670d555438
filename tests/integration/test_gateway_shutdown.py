"""SIGTERM to a gateway process that has much to do."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from modelium.common.clock import SystemClock
from modelium.common.errors import ExitCode
from tests.integration.loaded_engine import loaded_engine
from tests.integration.sse import streamed
from tests.stubs.engine_app import StubEngine
from tests.system import System

STREAMS = PLAIN = 40
GRACE_S = 4.0
CHUNK_S = 0.02


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    settings = {"gateway": {"shutdown_grace_seconds": GRACE_S}}
    system = System(tmp_path, engine_python=tmp_path / "none", settings=settings)
    system.start("nats", "redis")
    yield system
    assert system.stop() == []


@pytest.fixture
async def stub(system: System) -> AsyncIterator[StubEngine]:
    async with loaded_engine(system, chunk_delay_s=CHUNK_S) as engine:
        await asyncio.to_thread(system.start, "gateway")
        yield engine


@pytest.fixture
async def http(system: System) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(system.url, connector=connector) as session:
        yield session


async def answer(http: aiohttp.ClientSession, **body: Any) -> tuple[int, str]:
    request = {"model": "qwen", "messages": [], **body}
    async with http.post("/v1/chat/completions", json=request) as response:
        return response.status, await response.text()


async def begun(stub: StubEngine, count: int) -> None:
    clock = SystemClock()
    while stub.running < count:
        await clock.sleep(0.01)


async def until_not_ready(http: aiohttp.ClientSession) -> None:
    while (await http.get("/readyz")).status == 200:
        pass


async def test_all_that_is_in_flight_ends_properly_and_nothing_new_comes_in(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    async with asyncio.TaskGroup() as group:
        streams = [
            group.create_task(answer(http, stream=True, max_tokens=60)) for _ in range(STREAMS)
        ]
        plain = [group.create_task(answer(http, max_tokens=60)) for _ in range(PLAIN)]
        await begun(stub, STREAMS + PLAIN)
        system.children["gateway"].send_signal(signal.SIGTERM)
        await until_not_ready(http)
        refused = [(await answer(http, stream=stream))[0] for stream in (True, False)]
    assert refused == [503, 503]
    ended = [task.result() for task in streams]
    assert [status for status, _ in ended] == [200] * STREAMS
    assert all("t59" in text and text.endswith("data: [DONE]\n\n") for _, text in ended)
    assert all(status == 200 and "t59" in text for status, text in map(_result, plain))
    exit_code = await asyncio.to_thread(system.children["gateway"].wait, 10)
    assert exit_code == ExitCode.OK
    assert len(stub.received) == STREAMS + PLAIN


async def test_streams_without_an_end_are_not_waited_for(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    """Those that follow the system, by NATS and Redis as they are."""
    async with (
        streamed(http, "/live") as live,
        streamed(http, "/events?subject=model.requested") as events,
        asyncio.TaskGroup() as group,
    ):
        [row] = (await live.next()).data["models"]
        assert (row["model"], row["state"]) == ("qwen", "loaded")
        assert (await http.post("/admin/models/qwen/load")).status == 202
        assert (await events.next()).data["model"] == "qwen"
        stream = group.create_task(answer(http, stream=True, max_tokens=60))
        await begun(stub, 1)
        system.children["gateway"].send_signal(signal.SIGTERM)
        await live.ended()
        await events.ended()
        assert not stream.done()
    assert stream.result()[1].endswith("data: [DONE]\n\n")
    assert await asyncio.to_thread(system.children["gateway"].wait, 10) == ExitCode.OK


def _result(task: "asyncio.Task[tuple[int, str]]") -> tuple[int, str]:
    return task.result()


async def test_what_outlasts_the_grace_is_told_that_the_gateway_stops(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    clock = SystemClock()
    async with asyncio.TaskGroup() as group:
        stream = group.create_task(answer(http, stream=True, max_tokens=100_000))
        plain = group.create_task(answer(http, max_tokens=100_000))
        await begun(stub, 2)
        system.children["gateway"].send_signal(signal.SIGTERM)
        began_s = clock.monotonic()
    took_s = clock.monotonic() - began_s
    exit_code = await asyncio.to_thread(system.children["gateway"].wait, 10)
    assert exit_code == ExitCode.OK
    assert GRACE_S - 1 < took_s < GRACE_S + 3
    status, text = stream.result()
    assert status == 200
    assert "is stopping" in text.rsplit("data: ", 1)[1]
    assert "[DONE]" not in text
    status, text = plain.result()
    assert status == 503
    assert "is stopping" in text
