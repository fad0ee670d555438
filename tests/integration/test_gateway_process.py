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
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.records import ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_model_record
from tests.servers import Server
from tests.stubs.engine_app import Behaviour, StubEngine
from tests.system import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, engine_python=tmp_path / "none")
    system.start("nats", "redis")
    yield system
    assert system.stop() == []


@pytest.fixture
async def stub(system: System) -> AsyncIterator[StubEngine]:
    """A loaded model's engine; its record is in Redis."""
    engine = StubEngine(Behaviour(model="qwen", chunk_delay_s=0.02))
    bound = bind_socket("127.0.0.1", 0, setting="test")
    endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    record = a_model_record(state=ModelState.LOADED, endpoint=endpoint, generation=1)
    await store.models.save(record)
    await store.close()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve_http(engine, bound))
        yield engine
        serving.cancel()


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
    assert "`modelium keys create`" in ended.stderr
    assert "gateway.authentication: none" in ended.stderr
