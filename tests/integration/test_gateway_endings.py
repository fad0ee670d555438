"""How answers end when something goes: as each kind of client reads it, and within which time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from modelium.common.clock import SystemClock
from modelium.common.testing import yield_to_others
from tests.integration.gateway_rig import Rig, running_gateway
from tests.integration.raw_http import Message, Reply, ask, raw_engine
from tests.stubs.engine_dialects import DIALECTS

EVENTS = [(b"content-type", b"text/event-stream")]
MESSAGES: Any = [{"role": "user", "content": "hi"}]
SOON_S = 1.0
"""Within which a client's end must have reached the engine."""

Streamed = Callable[[str], Awaitable[None]]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


async def chat(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client:
        create = client.chat.completions.create
        async for _ in await create(model="qwen", messages=MESSAGES, stream=True):
            pass


async def completions(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client:
        async for _ in await client.completions.create(model="qwen", prompt="hi", stream=True):
            pass


async def responses(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="x", max_retries=0) as client:
        async for _ in await client.responses.create(model="qwen", input="hi", stream=True):
            pass


async def messages(url: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as client:
        create = client.messages.create
        async for _ in await create(model="qwen", messages=MESSAGES, max_tokens=9, stream=True):
            pass


CLIENTS: list[Streamed] = [chat, completions, responses, messages]


async def fails(client: Streamed, url: str, says: str) -> None:
    """The client raises its library's error, and does not take a part for the whole."""
    with pytest.raises((openai.APIError, anthropic.APIError), match=says):
        await client(url)


def beginning_of(request: Message, *, breaks_off: bool) -> Reply:
    """The first tokens of a stream, in the words of the route."""
    dialect = DIALECTS[request.target.decode()]("qwen")
    pieces = [dialect.opening(), dialect.piece("a", None), dialect.piece("b", None)]
    return Reply(200, EVENTS, pieces, breaks_off=breaks_off)


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_client_notices_an_engine_that_dies_in_the_middle(
    rig: Rig, client: Streamed
) -> None:
    async with raw_engine(lambda request: beginning_of(request, breaks_off=True)) as engine:
        await rig.loaded(engine.url)
        await fails(client, rig.url, "in the middle")
    assert len(engine.received) == 1


@pytest.mark.parametrize(
    "client",
    CLIENTS,
)
async def test_every_client_notices_a_stream_that_ends_too_early(
    rig: Rig, client: Streamed
) -> None:
    async with raw_engine(lambda request: beginning_of(request, breaks_off=False)) as engine:
        await rig.loaded(engine.url)
        await fails(client, rig.url, "in the middle")


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_client_reads_the_engines_refusal_in_a_stream_that_has_begun(
    rig: Rig, client: Streamed
) -> None:
    def refuse(request: Message) -> Reply:
        error = {"error": {"message": "too long for it", "type": "bad", "code": 400}}
        said = {"type": "error", **error} if request.target == b"/v1/messages" else error
        kind = [(b"content-type", b"application/json")]
        return Reply(400, kind, [json.dumps(said).encode()], chunked=False)

    async with raw_engine(refuse) as engine, asyncio.TaskGroup() as group:
        asked = group.create_task(fails(client, rig.url, "too long for it"))
        await rig.waiting()
        await rig.loaded(engine.url)
        await asked


@pytest.mark.parametrize("client", CLIENTS)
async def test_every_client_notices_that_its_stream_has_waited_in_vain(client: Streamed) -> None:
    async with running_gateway(stream_queue_timeout_seconds=0.2) as rig:
        await fails(client, rig.url, "still unloaded")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_dies_and_is_not_replaced_ends_the_wait_at_its_deadline(
    stream: bool,
) -> None:
    waits = {"queue_timeout_seconds": 0.5, "stream_queue_timeout_seconds": 0.5}
    async with (
        running_gateway(**waits) as rig,
        raw_engine(lambda _: Reply(200, EVENTS, [], breaks_off=True)) as engine,
    ):
        await rig.loaded(engine.url)
        clock = SystemClock()
        began_s = clock.monotonic()
        response = await rig.post(stream=stream, messages=[])
        text = await response.text()
        took_s = clock.monotonic() - began_s
    assert 0.4 < took_s < 1.5
    assert response.status == (200 if stream else 503)
    assert '"type": "service_unavailable"' in text
    assert "[DONE]" not in text
    assert len(engine.received) == 1


async def test_a_plain_answer_that_breaks_off_is_made_again(rig: Rig) -> None:
    kind = [(b"content-type", b"application/json")]
    answers = iter([Reply(200, kind, [b'{"a":'], breaks_off=True), Reply(200, kind, [b"{}"])])
    async with raw_engine(lambda _: next(answers)) as engine:
        await rig.loaded(engine.url)
        assert await (await rig.post(messages=[])).text() == "{}"
    assert len(engine.received) == 2


async def test_an_answer_whose_first_bytes_were_passed_on_never_looks_complete(rig: Rig) -> None:
    kind = [(b"content-type", b"audio/mpeg")]
    body = b'{"model":"qwen","messages":[]}'
    request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
    request += b"Content-Length: %d\r\n\r\n" % len(body) + body
    for chunked in (True, False):
        reply = Reply(200, kind, [b"sound"], chunked=chunked, breaks_off=True)
        async with raw_engine(lambda _, reply=reply: reply) as engine:
            await rig.loaded(engine.url, generation=1 + chunked)
            answer = await ask(rig.url, request)
        assert not answer.complete


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_a_silent_engine_stops_its_work(rig: Rig, stream: bool) -> None:
    stub, url = await rig.engine(first_byte_delay_s=60)
    await rig.loaded(url)
    post = asyncio.ensure_future(rig.post(stream=stream, messages=[]))
    await rig.until(lambda: stub.running == 1)
    await leave(post)
    await asyncio.wait_for(rig.until(lambda: stub.running == 0), SOON_S)
    assert stub.cancelled == 1


async def test_a_client_that_leaves_takes_the_requests_that_wait_behind_its_own_along(
    rig: Rig,
) -> None:
    """Of the end nothing was seen: the engine worked on, and then got the second one too."""
    stub, url = await rig.engine(first_byte_delay_s=60)
    await rig.loaded(url)
    body = b'{"model": "qwen", "messages": []}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    address = urlsplit(rig.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(2 * (head % len(body) + body))
    await rig.until(lambda: stub.running == 1)
    writer.close()
    await asyncio.wait_for(rig.until(lambda: stub.running == 0), SOON_S)
    await rig.until(lambda: rig.gateway.stats.active == 0)
    await yield_to_others(50)
    assert (stub.cancelled, len(stub.received)) == (1, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_while_its_engine_is_replaced_is_forgotten(
    rig: Rig, stream: bool
) -> None:
    async with raw_engine(lambda _: Reply(200, EVENTS, [], breaks_off=True)) as engine:
        await rig.loaded(engine.url)
        post = asyncio.ensure_future(rig.post(stream=stream, messages=[]))
        await rig.waiting()
        await leave(post)
        await asyncio.wait_for(rig.waiting(0), SOON_S)
        stub, url = await rig.engine()
        await rig.loaded(url, generation=2)
        assert (await rig.post(messages=[])).status == 200
    assert len(stub.received) == 1


async def leave(post: "asyncio.Future[Any]") -> None:
    """Close the connection of a request, whether or not its answer has begun."""
    await yield_to_others(50)
    if post.done():
        post.result().close()
    else:
        post.cancel()


async def test_a_client_that_does_not_read_makes_the_engine_wait(rig: Rig) -> None:
    piece, count = b"data: " + b"x" * 50_000 + b"\n\n", 2_000
    reply = Reply(200, EVENTS, [piece] * count + [b"data: [DONE]\n\n"])
    async with raw_engine(lambda _: reply) as engine:
        await rig.loaded(engine.url)
        response = await rig.post(stream=True, messages=[])
        sent = await stopped_at(lambda: engine.sent_bytes)
        assert sent < 20_000_000, "the gateway holds what its client does not read"
        assert len(await response.read()) == len(piece) * count + len(b"data: [DONE]\n\n")


async def stopped_at(count: Callable[[], int]) -> int:
    """The count once it has not grown for some time."""
    clock, before = SystemClock(), -1
    while (now := count()) != before:
        before = now
        await clock.sleep(0.3)
    return now
