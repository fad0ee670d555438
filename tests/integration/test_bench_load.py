"""The load of the benchmarks: it must see what is lost, and the engine must do as it is told."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from benchmarks.load import engine
from benchmarks.load.request import PATH, SIZE_BYTES, body
from benchmarks.load.streams import Load


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """A server on a free port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def an_engine() -> Callable[[], asyncio.Protocol]:
    pacer = engine.Pacer(asyncio.get_running_loop())
    return lambda: engine.Connection(pacer)


def some_streams(port: int, *, chunks: int = 20, pace_us: int = 0) -> Load:
    """Five, one request each."""
    return Load(
        argparse.Namespace(
            port=port,
            connections=5,
            once=True,
            ramp=0.01,
            seconds=0.0,
            chunks=chunks,
            pace_us=pace_us,
            model="bench",
            header=[],
        )
    )


@pytest.mark.parametrize("pace_us", [0, 2_000])
async def test_every_chunk_of_every_stream_is_counted(pace_us: int) -> None:
    async with listening(an_engine()) as port:
        load = some_streams(port, pace_us=pace_us)
        took_s = await load.run()
    assert (load.count.complete, load.count.broken, load.count.chunks) == (5, 0, 100)
    assert len(load.count.first_ns) == 5
    assert len(load.count.delay_ns) == (100 if pace_us else 0)
    assert min(load.count.delay_ns, default=0) >= 0
    assert took_s >= 19 * pace_us / 1e6


class Careless(asyncio.Protocol):
    """Answers every request with these bytes and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.write(self._answer)
        self._transport.close()


CHUNK = engine.event(b'"content":"t=0000000000000000001 "')
DONE = engine.framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        engine.STREAM_HEAD + CHUNK,  # cut off
        engine.STREAM_HEAD + CHUNK + b"0\r\n\r\n",  # no [DONE]
        engine.STREAM_HEAD + CHUNK + DONE,  # one chunk of two is missing
    ],
)
async def test_a_stream_that_lost_something_is_broken(answer: bytes) -> None:
    async with listening(lambda: Careless(answer)) as port:
        load = some_streams(port, chunks=2)
        await load.run()
    assert (load.count.complete, load.count.broken) == (0, 5)


async def test_an_error_status_is_not_an_answer() -> None:
    refusal = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"
    async with listening(lambda: Careless(refusal)) as port:
        load = some_streams(port)
        await load.run()
    assert (load.count.complete, load.count.not_ok) == (0, 5)


async def test_the_engine_tells_usage_in_its_stream_when_it_is_asked_for() -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    async with (
        listening(an_engine()) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
        http.post(PATH, json=asked) as answer,
    ):
        events = (await answer.text()).split("\n\n")
    assert json.loads(events[-3].removeprefix("data: "))["usage"]["total_tokens"] == 400
    assert events[-2] == "data: [DONE]"


def test_the_request_has_its_size_whatever_it_asks_for() -> None:
    sizes = {len(body()), len(body(stream=True, chunks=60, pace_us=1_000_000, model="other"))}
    assert sizes == {SIZE_BYTES}
