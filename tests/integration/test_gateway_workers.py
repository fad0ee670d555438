"""A gateway of two processes on one port, with real NATS and Redis."""

import asyncio
import re
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from modelium.common.errors import ExitCode
from modelium.common.http_server import bind as bind_socket
from tests.integration.loaded_engine import loaded_engine
from tests.stubs.engine_app import StubEngine
from tests.system import System, wait_until


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    settings = {"gateway": {"workers": 2}}
    system = System(tmp_path, engine_python=tmp_path / "none", settings=settings)
    system.start("nats", "redis")
    yield system
    assert system.stop() == []


@pytest.fixture
async def stub(system: System) -> AsyncIterator[StubEngine]:
    async with loaded_engine(system) as engine:
        await asyncio.to_thread(system.start, "gateway")
        await asyncio.to_thread(wait_until, "two workers", lambda: len(workers(system)) == 2)
        yield engine


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a new connection for each request."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


def workers(system: System) -> list[psutil.Process]:
    return psutil.Process(system.children["gateway"].pid).children()


async def ask(
    http: aiohttp.ClientSession, system: System, **body: object
) -> aiohttp.ClientResponse:
    json = {"model": "qwen", "max_tokens": 1, **body}
    return await http.post(f"{system.url}/v1/completions", json=json)


def worker_of(answer: aiohttp.ClientResponse) -> str:
    """The id of the worker that gave it: the request's id without its number."""
    return answer.headers["x-request-id"].rpartition("-")[0]


async def one_stream_each(
    http: aiohttp.ClientSession, system: System, tokens: int
) -> list[aiohttp.ClientResponse]:
    """A stream of each worker, running."""
    found: dict[str, aiohttp.ClientResponse] = {}
    while len(found) < 2:
        answer = await ask(http, system, stream=True, max_tokens=tokens)
        if answer.status == 503 or worker_of(answer) in found:
            answer.close()  # one that has just been started says when to come again
        else:
            await answer.content.readline()
            found[worker_of(answer)] = answer
    return list(found.values())


def counted(system: System) -> float:
    """The requests that ended well, as /metrics says."""
    with urllib.request.urlopen(f"{system.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    name = r"modelium_gateway_requests_total"
    return sum(map(float, re.findall(rf'^{name}{{.*outcome="ok".*}} (\S+)$', text, re.M)))


async def test_both_serve_and_metrics_add_up_and_outlive_a_worker(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    seen: dict[str, int] = {}
    while len(seen) < 2 or sum(seen.values()) < 20:
        answer = await ask(http, system)
        assert answer.status == 200
        seen[worker_of(answer)] = seen.get(worker_of(answer), 0) + 1
    total = sum(seen.values())
    for _ in range(10):
        await asyncio.to_thread(wait_until, "the sum", lambda: counted(system) == total)
    for worker in workers(system):
        worker.kill()
        await asyncio.to_thread(worker.wait, 10)
    await asyncio.to_thread(wait_until, "two workers", lambda: len(workers(system)) == 2)
    await asyncio.to_thread(wait_until, "an answer", lambda: system.is_ready("gateway"))
    assert await asyncio.to_thread(counted, system) == total


async def test_any_worker_lists_and_ends_the_requests_of_both(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    streams = await one_stream_each(http, system, tokens=100_000)
    workers_ids = sorted(map(worker_of, streams))
    listed: list[dict[str, str]] = []
    while sorted(request["gateway_id"] for request in listed) != workers_ids:
        async with http.get(f"{system.url}/admin/requests") as answer:
            listed = (await answer.json())["requests"]
    for request in listed:
        async with http.delete(f"{system.url}/admin/requests/{request['id']}") as answer:
            assert answer.status == 202
    for text in await asyncio.gather(*(stream.text() for stream in streams)):
        assert "request_cancelled" in text


async def test_a_killed_worker_takes_only_its_own_connections_along(
    system: System, stub: StubEngine, http: aiohttp.ClientSession
) -> None:
    streams = await one_stream_each(http, system, tokens=100)
    workers(system)[0].kill()
    texts = await asyncio.gather(*(s.text() for s in streams), return_exceptions=True)
    assert sorted(isinstance(text, aiohttp.ClientError) for text in texts) == [False, True]
    [whole] = [text for text in texts if isinstance(text, str)]
    assert whole.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_streams_of_both_end_and_exits_0(
    system: System, stub: StubEngine, http: aiohttp.ClientSession, signum: int
) -> None:
    streams = await one_stream_each(http, system, tokens=50)
    gateway = system.children["gateway"]
    gateway.send_signal(signum)
    for stream in streams:
        assert (await stream.text()).endswith("data: [DONE]\n\n")
    assert await asyncio.to_thread(gateway.wait, 20) == ExitCode.OK


async def test_workers_do_not_outlive_their_parent(system: System, stub: StubEngine) -> None:
    left = workers(system)
    system.kill("gateway")
    gone, alive = await asyncio.to_thread(psutil.wait_procs, left, 20)
    assert (len(gone), alive) == (2, [])


def test_a_wrong_setting_ends_all_workers_with_its_exit_code(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELIUM_GATEWAY__HOST", "0.0.0.0")
    command = system.command("gateway")
    gateway = psutil.Popen(command, cwd=system.folder)
    assert gateway.wait(60) == ExitCode.CONFIG


def test_a_port_that_another_gateway_has_is_refused(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bind_socket("127.0.0.1", system.ports["gateway"], setting="test", shared=True) as other:
        other.listen()
        gateway = psutil.Popen(system.command("gateway"), cwd=system.folder)
        assert gateway.wait(60) == ExitCode.UNAVAILABLE
