"""What a request costs on the way to an engine: the gateway's own pool beside aiohttp.

    .venv/bin/python -m benchmarks.engine_clients

Nothing but the client runs in this process; the engine is `load/engine.py` on another CPU. Each
client sends the same requests, 32 at a time; its CPU time is divided by their number. This is the
reason for having a pool of our own (services/gateway/modelium/gateway/engines/pool.py).
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp
import uvloop

from benchmarks.load.request import MODEL, PATH, body
from benchmarks.processes import child, on_cpu, two_cpus, wait_for_port
from modelium.common.clock import SystemClock
from modelium.gateway.edge.call import Call
from modelium.gateway.edge.paths import find_rule
from modelium.gateway.engines.pool import EnginePool
from tests.system import free_port

CONCURRENCY: Final = 32
HEADERS: Final = [(b"content-type", b"application/json"), (b"user-agent", b"bench")]

Ask = Callable[[], Awaitable[bytes]]


async def cpu_us(ask: Ask, requests: int) -> float:
    """CPU time of this process per request."""

    async def one_after_another(count: int) -> None:
        for _ in range(count):
            if not await ask():
                raise RuntimeError("an empty answer")

    async def all_of(count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(one_after_another(count // CONCURRENCY))

    await all_of(requests // 10)
    before_s = time.process_time()
    await all_of(requests)
    return (time.process_time() - before_s) / requests * 1e6


async def by_pool(url: str, requests: int) -> float:
    """With the gateway's pool."""
    rule = find_rule(PATH)
    if rule is None:
        raise RuntimeError(f"{PATH} is no route")
    call = Call(PATH, HEADERS, body(), MODEL, False, rule)
    async with EnginePool(SystemClock()) as pool:

        async def ask() -> bytes:
            reply = await pool.send(url, call, "bench-1")
            whole = b""
            while part := await reply.read():
                whole += part
            reply.close()
            return whole

        return await cpu_us(ask, requests)


async def by_aiohttp(url: str, requests: int) -> float:
    """With aiohttp, set up to do as little as it can."""
    content = body()
    headers = {str(name, "ascii"): str(value, "ascii") for name, value in HEADERS}
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    async with session:

        async def ask() -> bytes:
            async with session.post(url + PATH, data=content, headers=headers) as answer:
                return await answer.content.read()

        return await cpu_us(ask, requests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=32_000)
    parser.add_argument("--reps", type=int, default=3)
    options = parser.parse_args()
    cpus, port = two_cpus(), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.load.engine", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "engine.log"
        with child(command, cpu=cpus.load, log=log), on_cpu(cpus.proxy):
            wait_for_port(port)
            print("| client | CPU µs per request, best of the repetitions |\n|---|---|")
            for name, way in (("our pool", by_pool), ("aiohttp", by_aiohttp)):
                times = [uvloop.run(way(url, options.requests)) for _ in range(options.reps)]
                print(f"| {name} | {min(times):.1f} |", flush=True)


if __name__ == "__main__":
    main()
