"""The pool against engines that speak HTTP well, badly, and not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from modelium.common.clock import SystemClock
from modelium.common.testing import FakeClock
from modelium.gateway.edge.call import Call, Headers
from modelium.gateway.engines.pool import IDLE_S, EnginePool
from modelium.gateway.engines.reply import HIGH_WATER_BYTES
from modelium.gateway.engines.upstream import EngineGone, Reply
from tests.unit.gateway.calls import a_call

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class RawEngine:
    """Answers each request on each connection with the next of `answers`, byte for byte."""

    answers: list[bytes | None]
    """None: close the connection without an answer."""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                if b"until-close" in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_engine(*answers: bytes | None) -> AsyncIterator[RawEngine]:
    engine = RawEngine(list(answers))
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    engine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield engine


def quietly(serve: Answer) -> Answer:
    """The same, but the end of a connection is no error."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return served


def call(body: bytes = b"{}", headers: Headers | None = None) -> Call:
    return a_call(path="/v1/completions", headers=headers, body=body)


async def whole(reply: Reply) -> bytes:
    parts = []
    while chunk := await reply.read():
        parts.append(chunk)
    return b"".join(parts)


async def ask(pool: EnginePool, engine: RawEngine) -> bytes:
    return await whole(await pool.send(engine.url, call(), "id-1"))


async def test_a_connection_is_used_again() -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(OK, OK, OK) as engine:
        assert [await ask(pool, engine) for _ in range(3)] == [b"ok"] * 3
        assert (engine.connections, pool.open_connections) == (1, 1)


async def test_many_requests_at_once_each_get_their_own_answer() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (length, body))

    async def ask_often(pool: EnginePool, url: str, who: int) -> None:
        for number in range(200):
            body = b"%d of %d" % (number, who)
            assert await whole(await pool.send(url, call(body), "id-1")) == body

    server = await asyncio.start_server(quietly(echo), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, EnginePool(SystemClock()) as pool:
        async with asyncio.TaskGroup() as group:
            for who in range(50):
                group.create_task(ask_often(pool, url, who))
        assert pool.open_connections <= 50


async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    clock = FakeClock()
    async with EnginePool(clock) as pool, raw_engine(OK, OK) as engine:
        await ask(pool, engine)
        await clock.advance(IDLE_S + 1)
        assert await ask(pool, engine) == b"ok"
        assert engine.connections == 2


async def test_headers_pass_but_those_of_one_connection_and_secrets() -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"x-custom", b"kept"),
        (b"authorization", b"Bearer mk-secret"),
        (b"x-api-key", b"mk-secret"),
        (b"connection", b"keep-alive, X-Hop"),
        (b"x-hop", b"dropped"),
        (b"connection", b"x-other"),
        (b"x-other", b"dropped"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"999"),
        (b"expect", b"100-continue"),
    ]
    async with EnginePool(SystemClock()) as pool, raw_engine(OK) as engine:
        await whole(await pool.send(engine.url, call(b"body", headers), "id-1"))
        netloc = engine.url.removeprefix("http://")
    assert engine.requests == [
        (
            f"POST /v1/completions HTTP/1.1\r\nhost: {netloc}\r\ncontent-type: application/json\r\n"
            "x-custom: kept\r\nx-request-id: id-1\r\ncontent-length: 4\r\n\r\nbody"
        ).encode()
    ]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        # A trailer is not a header, and nobody wants it.
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-t: 1\r\n\r\n", b""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        # Neither length nor chunks: the end of the connection is the end of the answer.
        (b"HTTP/1.1 200 OK\r\nx: until-close\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nx: until-close\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        # What a `connection` header names, before or after it, is not the client's.
        (OK.replace(b"\r\n", b"\r\nA: 1\r\nconnection: a, keep-alive\r\n", 1), b"ok"),
        (OK.replace(b"\r\n", b"\r\nconnection: A\r\nconnection: b\r\na: 1\r\nB: 1\r\n", 1), b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nconnection: x\r\n\r\n" + OK, b"ok"),
    ],
)
async def test_an_answer_may_look_like(answer: bytes, body: bytes) -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(answer, OK) as engine:
        reply = await pool.send(engine.url, call(), "id-1")
        assert await whole(reply) == body
        assert {name for name, _ in reply.headers} <= {b"x", b"content-length"}
        assert await ask(pool, engine) == b"ok"  # the next request is not confused by it


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n folded: header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * (1 << 17) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: endless" + b"y" * (1 << 20),
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (1 << 15) + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_the_end_of_the_engine(answer: bytes) -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(answer) as engine:
        with pytest.raises(EngineGone) as gone:
            await ask(pool, engine)
        assert gone.value.reached
        await until(lambda: pool.open_connections == 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\nuntil-close",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nuntil-close",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx: until-close\r\n\r\n2\r\nok\r\n",
    ],
)
async def test_an_answer_that_breaks_off_does_not_end_properly(answer: bytes) -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(answer) as engine:
        reply = await pool.send(engine.url, call(), "id-1")
        with pytest.raises(EngineGone):
            await whole(reply)


async def test_a_second_answer_to_one_request_never_meets_the_next() -> None:
    forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with EnginePool(SystemClock()) as pool, raw_engine(OK + forged, OK) as engine:
        assert await ask(pool, engine) == b"ok"
        assert await ask(pool, engine) == b"ok"
        assert engine.connections == 2


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(OK, None, OK) as engine:
        assert await ask(pool, engine) == b"ok"
        assert await ask(pool, engine) == b"ok"
        assert engine.connections == 2


async def test_a_new_connection_that_is_closed_without_an_answer_is_not_tried_again() -> None:
    async with EnginePool(SystemClock()) as pool, raw_engine(None, OK) as engine:
        with pytest.raises(EngineGone) as gone:
            await ask(pool, engine)
        assert gone.value.reached
        assert engine.connections == 1


async def test_a_refused_connection_has_not_reached_the_engine() -> None:
    async with raw_engine() as engine:
        pass
    async with EnginePool(SystemClock()) as pool:
        with pytest.raises(EngineGone) as gone:
            await ask(pool, engine)
        assert not gone.value.reached


async def test_an_engine_waits_for_a_reader_that_does_not_read() -> None:
    size = 64 << 20
    written = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(b"x" * (1 << 16))
            await writer.drain()
            written += 1 << 16
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, EnginePool(SystemClock()) as pool:
        reply = await pool.send(url, call(), "id-1")
        before = -1
        while written != before:  # until the buffers of both sides are full
            before = written
            await SystemClock().sleep(0.1)
        assert written < size / 2
        first = await reply.read()
        assert len(first) < 4 * HIGH_WATER_BYTES
        assert len(first) + len(await whole(reply)) == size


async def test_closing_a_reply_closes_the_connection_unless_it_has_ended() -> None:
    begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbegun"
    async with EnginePool(SystemClock()) as pool, raw_engine(OK, begun) as engine:
        ended = await pool.send(engine.url, call(), "id-1")
        await whole(ended)
        ended.close()
        assert pool.open_connections == 1
        (await pool.send(engine.url, call(), "id-2")).close()
        await until(lambda: pool.open_connections == 0)


@pytest.mark.parametrize("path", ["/x\r\nhost: evil", "/x HTTP/1.1", "x", "/\xe9"])
async def test_a_path_that_would_be_another_request_is_never_sent(path: str) -> None:
    bad = a_call()._replace(path=path)
    async with EnginePool(SystemClock()) as pool, raw_engine(OK) as engine:
        with pytest.raises(ValueError, match="request target"):
            await pool.send(engine.url, bad, "id-1")
        assert engine.connections == 0


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await SystemClock().sleep(0.002)
