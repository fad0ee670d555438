"""The HTTP server's contract: order, endings, bounds, slow clients, clients that go away."""

import asyncio
from typing import Any

import pytest

from modelium.common.http_limits import ServerLimits
from tests.http_rig import CLOSING, Recorder, Waiting, answer, connected, post, serving

SMALL = ServerLimits(max_header_bytes=2048, max_headers=20, max_url_bytes=512)


# Whether the client is there.


async def test_a_client_that_goes_away_is_told_once_and_at_once() -> None:
    app = Waiting()
    async with serving(app) as port:
        async with connected(port) as wire:
            await wire.send(post(b"hello"))
            await app.started.wait()
        await app.gone.wait()
        app.go.set()
    assert app.calls == 1


async def test_a_reset_connection_is_told_too() -> None:
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await wire.send(post(b"hello"))
        await app.started.wait()
        wire.writer.transport.abort()
        await app.gone.wait()
        app.go.set()
    assert app.calls == 1


async def test_a_client_that_closes_after_its_answer_is_not_gone() -> None:
    app = Waiting()
    app.go.set()
    async with serving(app) as port, connected(port) as wire:
        await wire.send(post(b"hello"))
        assert (await wire.next_answer()).body == b"ok"
        wire.writer.close()
        await wire.rest()
    assert (app.calls, app.events) == (0, ["http.disconnect"])


async def test_a_client_that_closes_its_sending_side_counts_as_gone_and_gets_what_is_sent() -> None:
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await wire.send(post(b"hello"))
        await app.started.wait()
        wire.writer.write_eof()
        await app.gone.wait()
        app.go.set()
        [found] = await wire.answers()
    assert (found.body, app.calls) == (b"ok", 1)


async def test_a_request_that_comes_with_its_eof_is_answered() -> None:
    app = Recorder()
    async with serving(app) as port, connected(port) as wire:
        wire.writer.write(post(b"hello") + post(b"you", path=b"/2"))
        wire.writer.write_eof()
        found = await wire.answers()
    assert [a.body for a in found] == [b"POST / 5", b"POST /2 3"]


async def test_a_callback_that_comes_late_is_called_at_once() -> None:
    seen = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        scope["extensions"]["modelium.gone"](seen.set)

    async with serving(app) as port, connected(port) as wire:
        await wire.send(post(b"hello"))
        wire.writer.close()
        await seen.wait()


async def test_a_body_that_ends_too_early_is_a_disconnect() -> None:
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await wire.send(post(b"hello")[:-1])
        await app.started.wait()
        wire.writer.close()
        await app.gone.wait()
        app.go.set()
    assert app.calls == 1


# HTTP/1.0.


@pytest.mark.parametrize("asked", [b"", b"Connection: close\r\n"])
async def test_http_1_0_is_closed_after_the_answer(asked: bytes) -> None:
    async with serving(Recorder()) as port, connected(port) as wire:
        await wire.send(b"GET / HTTP/1.0\r\n" + asked + b"\r\n")
        [found] = await wire.answers()
    assert found.headers[b"connection"] == b"close"


async def test_http_1_0_is_kept_alive_if_it_asks() -> None:
    async with serving(Recorder()) as port, connected(port) as wire:
        await wire.send(2 * b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        for _ in range(2):
            assert (await wire.next_answer()).headers[b"connection"] == b"keep-alive"


async def test_http_1_0_gets_no_chunks() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await send({"type": "http.response.body", "body": b"thing"})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        data = await wire.rest()
    assert data.endswith(b"\r\nconnection: close\r\n\r\nsomething")
    assert b"chunked" not in data


# Expect.


async def test_continue_is_sent_when_the_application_reads() -> None:
    async with serving(Recorder()) as port, connected(port) as wire:
        request = post(b"hello", b"Expect: 100-continue")
        await wire.send(request[:-5])
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(b"hello")
        assert (await wire.next_answer()).body == b"POST / 5"


async def test_continue_is_not_sent_when_the_body_is_there_or_the_answer_is_final() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"no")
        await receive()

    expecting = post(b"hello", b"Expect: 100-continue")
    async with serving(Recorder()) as port, connected(port) as wire:
        await wire.send(expecting)
        assert (await wire.next_answer()).status == 200
    async with serving(refusing) as port, connected(port) as wire:
        await wire.send(expecting[:-5])
        [found] = await wire.answers()
    assert (found.body, found.headers[b"connection"]) == (b"no", b"close")


# Upgrades.


async def test_the_body_of_a_request_for_an_upgrade_is_a_body() -> None:
    """llhttp skips it, and what follows would be taken for a request."""
    app = Recorder()
    inner = post(b"", path=b"/inner")
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM")
    async with serving(app) as port:
        for pieces in (1, 2):
            async with connected(port) as wire:
                request = post(inner, *upgrade)
                cut = len(request) // pieces
                await wire.send(request[:cut], request[cut:] + CLOSING)
                [found] = await wire.answers()
            assert found.body == b"POST / %d" % len(inner)
    assert app.bodies == [inner, inner]


async def test_more_connections_than_allowed_are_turned_away() -> None:
    async with serving(Recorder(), max_connections=2) as port, connected(port) as first:
        await first.send(post(b"1"))
        assert (await first.next_answer()).status == 200
        async with connected(port) as second, connected(port) as third:
            await second.send(post(b"2"))
            assert (await second.next_answer()).status == 200
            [refused] = await third.answers()
            assert refused.status == 503
            assert b"too many connections" in refused.body
        await first.send(post(b"3"))
        assert (await first.next_answer()).status == 200
