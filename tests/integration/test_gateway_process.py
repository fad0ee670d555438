"""The gateway as a process with real NATS and Redis: its start, its refusals, its end."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from modelium.common.errors import ExitCode
from tests.integration.loaded_engine import loaded_engine
from tests.servers import Server
from tests.stubs.engine_app import StubEngine
from tests.system import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, engine_python=tmp_path / "none")
    system.start("nats", "redis")
    yield system
    assert system.stop() == []


@pytest.fixture
async def stub(system: System) -> AsyncIterator[StubEngine]:
    async with loaded_engine(system) as engine:
        yield engine


async def post(
    http: aiohttp.ClientSession, system: System, **body: object
) -> aiohttp.ClientResponse:
    return await http.post(f"{system.url}/v1/completions", json={"model": "qwen", **body})


async def test_sigterm_lets_a_running_stream_end_and_exits_0(
    system: System, stub: StubEngine
) -> None:
    await asyncio.to_thread(system.start, "gateway")
    async with aiohttp.ClientSession() as http:
        running = await post(http, system, stream=True, max_tokens=20)
        await running.content.readline()
        gateway = system.children["gateway"]
        gateway.send_signal(signal.SIGTERM)
        ready = await http.get(f"{system.url}/readyz")
        while ready.status == 200:
            ready = await http.get(f"{system.url}/readyz")
        assert (await post(http, system)).status == 503
        assert (await running.text()).endswith("data: [DONE]\n\n")
    assert await asyncio.to_thread(gateway.wait, 10) == ExitCode.OK
    assert len(stub.received) == 1


async def test_a_loaded_model_serves_on_without_nats_and_redis(
    system: System, stub: StubEngine
) -> None:
    await asyncio.to_thread(system.start, "gateway")
    async with aiohttp.ClientSession() as http:
        assert (await post(http, system)).status == 200
        system.kill("nats")
        system.kill("redis")
        for _ in range(5):
            assert (await post(http, system)).status == 200
    assert len(stub.received) == 6


def test_an_address_that_others_can_reach_is_refused(
    nats: Server, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELIUM_NATS__URL", nats.url)
    monkeypatch.setenv("MODELIUM_REDIS__URL", redis.url)
    monkeypatch.setenv("MODELIUM_GATEWAY__HOST", "0.0.0.0")
    command = (sys.executable, "-m", "modelium.gateway")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == ExitCode.CONFIG
    assert "`modelium keys create --scope admin`" in ended.stderr
    assert "gateway.authentication: none" in ended.stderr
