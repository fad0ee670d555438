"""Engines and clients that go away in the middle, and what agents are told of it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest

from modelium.common.http_server import bind as bind_socket
from modelium.common.records import ModelState
from modelium.common.testing import yield_to_others
from tests.integration.gateway_rig import Rig, running_gateway


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


@asynccontextmanager
async def engine_process(*flags: str) -> AsyncIterator[str]:
    """A stub engine in a process of its own, because it will die."""
    with bind_socket("127.0.0.1", 0, setting="test") as free:
        port = free.getsockname()[1]
    arguments = ("tests/stubs/engine.py", "--model", "/m/qwen", "--port", str(port), *flags)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while b"startup complete" not in await process.stdout.readline():
            pass
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_listening(rig: Rig, url: str) -> None:
    while True:
        try:
            await rig.http.get(url + "/health")
        except OSError:
            continue
        return


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_dies_before_the_first_byte_is_replaced_by_the_next(
    rig: Rig, stream: bool
) -> None:
    async with engine_process("--die-after-chunks", "0") as url:
        await until_listening(rig, url)
        await rig.loaded(url, generation=1)
        post = asyncio.ensure_future(rig.post(stream=stream, max_tokens=1))
        await rig.waiting()
        stub, healthy = await rig.engine()
        await rig.loaded(healthy, generation=2)
        response = await post
        text = await response.text()
    assert response.status == 200
    assert "t0" in text
    assert ("[DONE]" in text) == stream
    assert len(stub.received) == 1


async def test_a_death_with_a_full_queue_refuses_none_of_those_that_were_at_the_engine() -> None:
    async with running_gateway(max_queue_per_model=1) as rig:
        dying, url = await rig.engine(first_byte_delay_s=0.5, aborting=True)
        await rig.loaded(url, generation=1)
        posts = [asyncio.ensure_future(rig.post(max_tokens=1)) for _ in range(4)]
        await rig.until(lambda: dying.running == 4)
        await rig.become(state=ModelState.UNLOADING, endpoint=None, endpoints=())
        await rig.waiting(4)
        _, healthy = await rig.engine()
        await rig.loaded(healthy, generation=2)
        assert [(await post).status for post in posts] == [200] * 4


async def test_an_engine_that_dies_after_the_first_byte_ends_the_stream_with_an_error(
    rig: Rig,
) -> None:
    async with engine_process("--die-after-chunks", "2") as url:
        await until_listening(rig, url)
        await rig.loaded(url)
        async with openai.AsyncOpenAI(base_url=rig.url + "/v1", api_key="x") as client:
            stream = await client.chat.completions.create(model="qwen", messages=[], stream=True)
            texts = []
            with pytest.raises(openai.APIError, match="in the middle"):
                async for chunk in stream:
                    texts.append(chunk.choices[0].delta.content)
    assert texts == ["t0 ", "t1 "]


async def test_an_engine_that_fails_every_time_is_502_in_the_end(rig: Rig) -> None:
    stub, url = await rig.engine(draining=True)
    await rig.loaded(url)
    response = await rig.post()
    assert (response.status, (await response.json())["error"]["code"]) == (502, "backend_error")
    assert len(stub.received) == 2


async def test_a_refused_connection_is_tried_again_without_end_until_the_engine_is_back(
    rig: Rig,
) -> None:
    await rig.loaded("http://127.0.0.1:9")
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    _, url = await rig.engine()
    await rig.loaded(url, generation=2)
    assert (await post).status == 200


async def test_a_500_of_an_engine_that_is_being_stopped_is_not_passed_on(rig: Rig) -> None:
    _, stopping = await rig.engine(draining=True)
    await rig.loaded(stopping)
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    _, url = await rig.engine()
    await rig.loaded(url, generation=2)
    assert (await post).status == 200


async def test_any_other_500_is_the_engines_own_answer(rig: Rig) -> None:
    stub, url = await rig.engine(fail_requests=True)
    await rig.loaded(url)
    response = await rig.post()
    assert response.status == 500
    assert "told to fail" in await response.text()
    assert len(stub.received) == 1


async def test_an_aborted_stream_ends_with_an_error_and_without_done(rig: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    response = await rig.post(stream=True, max_tokens=1000)
    await response.content.readline()
    stub.behaviour.aborting = True
    text = await response.text()
    assert '"code": "backend_error"' in text.rsplit("data: ", 1)[1]
    assert "[DONE]" not in text
    assert '"finish_reason": "abort"' not in text


async def test_an_aborted_plain_answer_is_made_again_by_the_next_engine(rig: Rig) -> None:
    _, url = await rig.engine(aborting=True)
    await rig.loaded(url)
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    _, healthy = await rig.engine()
    await rig.loaded(healthy, generation=2)
    response = await post
    assert "t7" in await response.text()


async def test_text_that_talks_about_aborting_is_no_abort(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    answer = b'{"choices":[{"message":{"content":"\\"finish_reason\\": \\"abort\\""}}]}'
    stub.replies["/v1/chat/completions"] = (200, [], answer)
    assert await (await rig.post()).read() == answer


async def test_a_stream_that_ends_without_done_is_an_error(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    headers = [(b"content-type", b"text/event-stream")]
    stub.replies["/v1/completions"] = (200, headers, b'data: {"choices":[]}\n\n')
    text = await (await rig.post("/v1/completions", stream=True)).text()
    assert text.startswith('data: {"choices":[]}\n\ndata: {"error": ')
    assert "without its last event" in text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_stops_the_engines_work(rig: Rig, stream: bool) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    post = asyncio.ensure_future(rig.post(stream=stream, max_tokens=10_000))
    await rig.until(lambda: stub.running == 1)
    if stream:
        (await post).close()
    else:
        post.cancel()
    await asyncio.wait_for(rig.until(lambda: stub.running == 0), 1)
    assert stub.cancelled == 1
    await rig.until(lambda: not rig.gateway.stats.of("qwen").in_flight)


async def test_stats_say_at_once_that_an_engine_is_no_longer_used(rig: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.02)
    await rig.loaded(url, generation=3)
    await rig.until(lambda: bool(rig.figures()) and rig.figures()[-1].routed_generations == (3,))
    response = await rig.post(stream=True, max_tokens=100_000)
    await rig.until(lambda: stub.running == 1)

    before = len(rig.figures())
    await rig.become(state=ModelState.UNLOADING)
    await rig.until(lambda: rig.figures()[-1].routed_generations == ())
    assert rig.figures()[-1].in_flight_generations == {3: 1}
    assert len(rig.figures()) <= before + 2

    held = asyncio.ensure_future(rig.post())
    await rig.waiting()
    response.close()
    await rig.until(lambda: rig.figures()[-1].in_flight_generations == {})
    assert rig.figures()[-1].waiting == 1
    assert len(stub.received) == 1
    held.cancel()


async def test_sigterm_lets_what_is_inside_end_and_nothing_new_in(rig: Rig) -> None:
    _, url = await rig.engine(chunk_delay_s=0.02)
    await rig.become("cold", load_s=5.0)
    await rig.loaded(url)
    running = await rig.post(stream=True, max_tokens=10)
    waiting = asyncio.ensure_future(rig.post(model="cold"))
    await rig.waiting(1, "cold")

    draining = asyncio.ensure_future(rig.gateway.app.drain(30))
    await yield_to_others(1)
    refused = await rig.post()
    assert refused.status == 503
    assert "t9" in await running.text()
    assert not draining.done()
    _, cold_url = await rig.engine(model="cold")
    await rig.loaded(cold_url, "cold")
    assert (await waiting).status == 200
    await draining


async def test_what_has_not_ended_within_the_grace_is_left_to_the_server(rig: Rig) -> None:
    _, url = await rig.engine(chunk_delay_s=60)
    await rig.loaded(url)
    post = asyncio.ensure_future(rig.post(stream=True))
    while not rig.gateway.stats.active:
        await yield_to_others(1)
    await asyncio.wait_for(rig.gateway.app.drain(0.1), 5)
    assert rig.gateway.stats.active == 1
    post.cancel()


async def test_nats_and_redis_may_be_away_while_a_loaded_model_serves(rig: Rig) -> None:
    _, url = await rig.engine()
    await rig.loaded(url)
    rig.around.bus.connected = False
    published = len(rig.asked())
    assert (await rig.post()).status == 200
    assert len(rig.asked()) == published
