"""Requests that wait behind another: their order, their bounds, and the end of their client."""

import asyncio

import pytest

from modelium.common.testing import yield_to_others
from tests.http_rig import CLOSING, GET, Recorder, Waiting, Wire, connected, post, serving


async def two_asked(wire: Wire, app: Waiting, *behind: bytes) -> None:
    """One request that is being answered, and what waits behind it."""
    await wire.send(GET)
    await app.started.wait()
    await wire.send(*behind)


@pytest.mark.parametrize(
    "behind",
    [GET, GET * 15, GET[:-1], post(b"x" * 60_000), post(b"hello")[:-1], b"\0\0", GET * 30],
    ids=["one", "many", "head", "large", "body", "nonsense", "too many"],
)
@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_a_client_that_goes_is_seen_behind_what_waits(behind: bytes, how: str) -> None:
    """Reading stopped as soon as one request waited, so that the first was worked on for nobody."""
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await two_asked(wire, app, behind)
        await yield_to_others(50)
        if how == "eof":
            wire.writer.write_eof()
        else:
            wire.writer.transport.abort()
        async with asyncio.timeout(5):
            await app.gone.wait()
        assert app.calls == 1
        app.go.set()
        if how == "eof":
            assert (await wire.answers())[0].body == b"ok"


async def test_what_was_cut_off_by_the_end_is_not_asked() -> None:
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await two_asked(wire, app, post(b"hello")[:-1])
        await yield_to_others(50)
        wire.writer.write_eof()
        await app.gone.wait()
        app.go.set()
        [found] = await wire.answers()
    assert (found.body, app.begun) == (b"ok", 1)


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    app = Recorder()
    requests = [post(b"x" * n, path=b"/%d" % n) for n in range(10)]
    async with serving(app) as port, connected(port) as wire:
        await wire.send(b"".join(requests) + CLOSING)
        found = await wire.answers()
    assert [a.body for a in found] == [
        *(f"POST /{n} {n}".encode() for n in range(10)),
        b"GET /second 0",
    ]


async def test_a_pipeline_without_end_is_refused_after_the_answers_that_are_due() -> None:
    app = Recorder()
    async with serving(app, max_pipelined=4) as port, connected(port) as wire:
        await wire.send(GET * 5000)
        found = await wire.answers()
    assert found[-1].status == 400
    assert len(app.scopes) == len(found) - 1 < 10


async def test_no_more_is_read_while_requests_wait() -> None:
    app = Waiting()
    sent = 0
    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET)
        await app.started.wait()
        await wire.send(GET)
        with pytest.raises(TimeoutError):
            while sent < 1 << 26:
                async with asyncio.timeout(0.5):
                    await wire.send(post(b"x" * (1 << 20)))
                sent += 1 << 20
        app.go.set()
    assert sent < 1 << 25, "the network's buffers hold less than this"


async def test_bad_bytes_behind_a_request_do_not_spoil_its_answer() -> None:
    app = Waiting()
    async with serving(app) as port, connected(port) as wire:
        await wire.send(GET, b"\0\0")
        await app.started.wait()
        app.go.set()
        found = await wire.answers()
    assert [(a.status, a.whole) for a in found] == [(200, True), (400, True)]
