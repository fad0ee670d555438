"""What the HTTP server writes for an application, and what it refuses to write."""

from typing import Any

import pytest

from tests.http_rig import answers_in, connected, serving

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "header",
    [
        (b"x-engine", b"a\r\nset-cookie: b"),
        (b"x-engine", b"a\nset-cookie: b"),
        (b"x-engine", b"a\rset-cookie: b"),
        (b"x-engine", b"a\r\n\r\nHTTP/1.1 200 OK"),
        (b"x-engine", b"a\x00b"),
        (b"x-engine: a\r\nset-cookie", b"b"),
        (b"content-length", b"0\r\n\r\nHTTP/1.1 200 OK"),
    ],
)
async def test_a_header_that_would_split_the_answer_is_never_written(
    header: tuple[bytes, bytes],
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [header]})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET + GET)
        data = await wire.rest()
    [found] = answers_in(data)
    assert found.status == 502
    assert b"cookie" not in data
    assert data.count(b"HTTP/1.1") == 1


async def test_an_application_that_fails_before_its_answer_is_a_500() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET)
        [found] = await wire.answers()
    assert found.status == 500


async def test_an_application_that_fails_in_its_answer_leaves_it_visibly_broken() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET + GET)
        [found] = await wire.answers()
    assert (found.body, found.whole) == (b"part", False)


@pytest.mark.parametrize("sent", [b"short", b"much longer"])
async def test_a_body_that_is_not_as_long_as_announced_is_not_sent(sent: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": sent})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET)
        [found] = await wire.answers()
    assert found.status == 502


async def test_a_body_that_turns_out_too_long_breaks_the_answer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-length", b"8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(2):
            await send({"type": "http.response.body", "body": b"short", "more_body": True})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET)
        [found] = await wire.answers()
    assert (found.body, found.whole) == (b"short", False)


async def test_head_and_204_have_no_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        status = 200 if scope["method"] == "HEAD" else 204
        headers = [(b"content-length", b"2")] if status == 200 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET.replace(b"GET", b"HEAD") + CLOSE)
        data = await wire.rest()
    assert data.count(b"HTTP/1.1") == 2
    assert data.endswith(b"\r\n\r\n")
