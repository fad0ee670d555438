"""The HTTP server's bounds in bytes and seconds, and what it keeps for whoever does not read.

The small timeouts here are waited for: nothing but the client's silence can end these waits.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from modelium.common.clock import SystemClock
from modelium.common.testing import yield_to_others
from tests.http_rig import Recorder, Waiting, answer, connected, serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


# Bytes.


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2100 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 30 + b"\r\n", 431),
        (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        (CHUNKED + b"0\r\nX: " + b"a" * 600_000, 431),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 30 + b"\r\n", 431),
        (CHUNKED + b"1;" + b"a" * 600_000, 431),
    ],
    ids=["value", "endless", "name", "count", "url", "url-", "trailer", "trailers", "extension"],
)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1000])
async def test_what_must_be_kept_while_it_arrives_is_bounded(
    request_bytes: bytes, status: int, piece_bytes: int
) -> None:
    bounds = {"max_header_bytes": 2048, "max_headers": 20, "max_url_bytes": 512}
    pieces = range(0, len(request_bytes), piece_bytes)
    async with serving(Recorder(), **bounds) as port, connected(port) as wire:
        await wire.send(*(request_bytes[at : at + piece_bytes] for at in pieces))
        [found] = await wire.answers()
    assert found.status == status


async def test_a_body_is_read_only_as_fast_as_it_is_asked_for() -> None:
    started, go = asyncio.Event(), asyncio.Event()
    sizes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.set()
        await go.wait()
        event = {"more_body": True}
        while event["more_body"]:
            event = await receive()
            sizes.append(len(event["body"]))
        await answer(send)

    async with serving(app) as port, connected(port) as wire:
        body = b"x" * (32 * MIB)
        await wire.send(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        wire.writer.write(body)
        await started.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await wire.writer.drain()
        go.set()
        assert (await wire.next_answer()).status == 200
    assert sum(sizes) == len(body)
    assert max(sizes) <= 512 * 1024


# Seconds.


async def test_a_client_that_says_nothing_is_closed_without_a_word() -> None:
    async with serving(Recorder(), header_timeout_s=0.2) as port, connected(port) as wire:
        assert await wire.rest() == b""


@pytest.mark.parametrize("sent", [b"G", GET[:-1], GET + GET[:-1]], ids=["first", "last", "second"])
async def test_headers_that_do_not_end_in_time_are_a_408(sent: bytes) -> None:
    async with serving(Recorder(), header_timeout_s=0.2) as port, connected(port) as wire:
        await wire.send(sent)
        found = await wire.answers()
    assert found[-1].status == 408
    assert len(found) == 1 + sent.count(GET)


async def test_headers_that_began_before_a_pause_get_no_more_time() -> None:
    """Reading stops while as many wait as may; there was no bound after it went on."""
    app = Waiting()
    limits = {"header_timeout_s": 0.2, "max_pipelined": 2}
    async with serving(app, **limits) as port, connected(port) as wire:
        await wire.send(GET)
        await app.started.wait()
        await wire.send(GET * 2 + GET[:-1])
        await yield_to_others(50)
        app.go.set()
        found = await wire.answers()
    assert [a.status for a in found] == [200, 200, 200, 408]


async def test_headers_that_drip_get_no_more_time() -> None:
    async with serving(Recorder(), header_timeout_s=0.4) as port, connected(port) as wire:
        reading = asyncio.ensure_future(wire.answers())
        await wire.send(GET[:-2])
        while not reading.done():
            await asyncio.wait([reading], timeout=0.05)
            wire.writer.write(b"X: a\r\n")
        [found] = await reading
    assert found.status == 408


async def test_a_request_that_came_in_parts_may_be_answered_after_any_time() -> None:
    arrived = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        arrived.set()
        await SystemClock().sleep(1.0)
        await answer(send)

    async with serving(app, body_timeout_s=0.2) as port, connected(port) as wire:
        await wire.send(POST + b"Content-Length: 2\r\n\r\n")
        await asyncio.wait([asyncio.ensure_future(arrived.wait())], timeout=0.05)
        await wire.send(b"ok")
        assert (await wire.next_answer()).status == 200
    assert arrived.is_set()


async def test_a_body_that_drips_gets_no_more_time() -> None:
    async with serving(Recorder(), body_timeout_s=0.4) as port, connected(port) as wire:
        reading = asyncio.ensure_future(wire.answers())
        await wire.send(POST + b"Content-Length: 100000\r\n\r\n")
        while not reading.done():
            await asyncio.wait([reading], timeout=0.05)
            wire.writer.write(b"x")
        [found] = await reading
    assert found.status == 408


@pytest.mark.parametrize("head", [POST + b"Content-Length: 9\r\n\r\n", CHUNKED], ids=["cl", "te"])
async def test_a_body_that_stops_is_a_408_and_a_disconnect(head: bytes) -> None:
    app = Recorder()
    async with serving(app, body_timeout_s=0.2) as port, connected(port) as wire:
        await wire.send(head + b"1\r\n")
        [found] = await wire.answers()
    assert found.status == 408
    assert len(app.scopes) == 1
    assert app.bodies == []


async def test_a_slow_application_does_not_make_the_body_late() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.6)
        while (await receive())["more_body"]:
            pass
        await answer(send)

    async with serving(app, body_timeout_s=0.2) as port, connected(port) as wire:
        wire.writer.write(POST + b"Content-Length: %d\r\n\r\n" % (8 * MIB) + b"x" * (8 * MIB))
        assert (await wire.next_answer()).status == 200


async def test_an_idle_connection_is_closed() -> None:
    async with serving(Recorder(), idle_timeout_s=0.2) as port, connected(port) as wire:
        await wire.send(GET)
        [found] = await wire.answers()
    assert found.status == 200


async def test_an_answer_that_comes_before_the_end_of_the_request_reaches_its_client() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"too large")

    async with serving(app, linger_s=5.0) as port, connected(port) as wire:
        wire.writer.write(POST + b"Content-Length: %d\r\n\r\n" % MIB + b"x" * (MIB // 2))
        [found] = await wire.answers()
        assert found.headers[b"connection"] == b"close"
        await wire.send(b"x" * (MIB // 2))
    assert found.body == b"too large"


async def test_idle_connections_are_in_nobodys_way() -> None:
    async with serving(Recorder()) as port, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(connected(port)) for _ in range(200)]
        for wire in idle[:100]:
            await wire.send(GET[:-2])
        async with asyncio.timeout(1.0):
            good = await stack.enter_async_context(connected(port))
            await good.send(GET)
            assert (await good.next_answer()).status == 200


# Readers.


class Endless:
    """Streams without end, and counts what the server took."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.gone = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"]["modelium.gone"](self.gone.set)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not self.gone.is_set():
            part = b"x" * 10_000
            await send({"type": "http.response.body", "body": part, "more_body": True})
            self.sent_bytes += len(part)


async def test_a_reader_that_reads_nothing_costs_little_and_is_cut() -> None:
    app = Endless()
    async with (
        serving(app, write_timeout_s=0.5) as port,
        connected(port, receive_bytes=65536) as wire,
    ):
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(GET)
        await app.gone.wait()
    assert app.sent_bytes < MIB, "64 KiB here, 64 KiB unsent, and what the client's system takes"


async def test_a_reader_that_reads_slowly_is_not_cut() -> None:
    app = Endless()
    async with (
        serving(app, write_timeout_s=0.5) as port,
        connected(port, receive_bytes=65536) as wire,
    ):
        await wire.send(GET)
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await app.gone.wait()
            assert await wire.reader.read(1 << 16)


async def test_a_finished_answer_that_nobody_reads_is_cut_too() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"x" * (32 * MIB), (b"connection", b"close"))

    async with serving(app, write_timeout_s=0.5) as port, connected(port) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(GET)
        with pytest.raises(ConnectionError):
            while True:
                await wire.send(b"x")
                await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.1)
