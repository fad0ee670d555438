"""Requests for models that are not loaded: held, told how far it is, released, or refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import openai
import pytest

from modelium.common.clock import utc_now
from modelium.common.records import ModelState
from tests.integration.gateway_rig import Rig, running_gateway

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway(comment_every_s=0.05) as rig:
        yield rig


def client_of(rig: Rig) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=rig.url + "/v1", api_key="none", max_retries=0)


async def load_when_asked(rig: Rig) -> None:
    """Play orchestrator, agent and registry."""
    await rig.waiting()
    await rig.until(lambda: rig.asked() == ["qwen"])
    await rig.become(state=ModelState.LOADING)
    _, url = await rig.engine()
    await rig.loaded(url)


async def test_the_openai_client_gets_its_answer_from_a_cold_model(rig: Rig) -> None:
    loading = asyncio.ensure_future(load_when_asked(rig))
    async with client_of(rig) as client:
        answer = await client.chat.completions.create(model="qwen", **CHAT)
    assert (answer.choices[0].message.content or "").startswith("t0 t1 ")
    await loading


async def test_the_openai_client_gets_its_stream_from_a_cold_model(rig: Rig) -> None:
    loading = asyncio.ensure_future(load_when_asked(rig))
    async with client_of(rig) as client:
        stream = await client.chat.completions.create(
            model="qwen", stream=True, max_tokens=3, stream_options={"include_usage": True}, **CHAT
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "t0 t1 t2 "
    assert chunks[-1].usage is not None
    await loading


async def test_a_held_stream_gets_headers_and_comments_at_once_and_then_the_engines_bytes(
    rig: Rig,
) -> None:
    first = await rig.post(stream=True, max_tokens=1)
    second = await rig.post(stream=True, max_tokens=1)
    assert first.status == 200
    assert first.headers["content-type"].startswith("text/event-stream")
    line = await second.content.readline()
    assert line == b": modelium state=unloaded position=2 eta_s=30\n"

    await rig.become(state=ModelState.LOADING, load_s=14.0)
    while b"state=loading position=2 eta_s=14" not in line:
        line = await second.content.readline()

    stub, url = await rig.engine()
    await rig.loaded(url)
    rest = await first.read()
    comments, _, events = rest.partition(b"data: {")
    assert all(part.startswith(b": modelium ") for part in comments.split(b"\n\n") if part)
    assert b": modelium" not in events
    assert events.endswith(b"data: [DONE]\n\n")
    assert len(stub.received) == 2


async def test_a_loaded_but_silent_engine_is_bridged_with_comments(rig: Rig) -> None:
    _, url = await rig.engine(first_byte_delay_s=0.3)
    await rig.loaded(url)
    text = await (await rig.post(stream=True, max_tokens=1)).text()
    assert text.startswith(": modelium state=loaded position=0 eta_s=0\n\n")
    assert text.endswith("data: [DONE]\n\n")


async def test_one_request_is_published_for_many_waiters(rig: Rig) -> None:
    posts = [asyncio.ensure_future(rig.post()) for _ in range(5)]
    await rig.waiting(5)
    await rig.until(lambda: bool(rig.asked()))
    assert rig.asked() == ["qwen"]
    _, url = await rig.engine()
    await rig.loaded(url)
    assert [(await post).status for post in posts] == [200] * 5


async def test_waiting_ends_with_503_and_the_load_goes_on() -> None:
    async with running_gateway(queue_timeout_seconds=0.2) as rig:
        await rig.become(load_s=7.0, reason="waiting for room")
        response = await rig.post()
        body = await response.json()
    assert response.status == 503
    assert body["error"]["code"] == "model_loading"
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-should-retry"] == "true"
    assert body["loading"] == {
        "state": "unloaded",
        "position": 1,
        "eta_s": 7,
        "reason": "waiting for room",
    }
    assert "Ask again in 7 s, or send `Prefer: wait=300`" in body["error"]["message"]


@pytest.mark.parametrize("most_s", [600, 0.2])
async def test_who_waited_as_long_as_can_be_waited_is_not_told_to_wait_longer(
    most_s: float,
) -> None:
    bounds = {"queue_timeout_seconds": 0.2, "stream_queue_timeout_seconds": most_s}
    async with running_gateway(**bounds) as rig:
        # A client that itself waits no longer gains as little as one who may not.
        headers = {"x-request-timeout": "0.2"} if most_s > 1 else None
        status, body = await rig.chat(headers)
        message = body["error"]["message"]
    assert status == 503
    assert "Ask again in" in message
    assert "Prefer" not in message


async def test_a_stream_whose_wait_fails_ends_with_an_error_event_and_no_done() -> None:
    async with running_gateway(stream_queue_timeout_seconds=0.2) as rig:
        text = await (await rig.post(stream=True)).text()
        async with client_of(rig) as client:
            stream = await client.chat.completions.create(model="qwen", stream=True, **CHAT)
            with pytest.raises(openai.APIError, match="still unloaded"):
                async for _ in stream:
                    pass
    assert '"code": "model_loading"' in text.rsplit("data: ", 1)[1]
    assert "[DONE]" not in text


async def test_a_full_queue_is_429_before_the_headers() -> None:
    async with running_gateway(max_queue_per_model=1) as rig:
        held = await rig.post(stream=True)
        refused = await rig.post(stream=True)
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert (await refused.json())["error"]["type"] == "rate_limit_error"
        held.close()
        await rig.waiting(0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_leaves_the_queue(rig: Rig, stream: bool) -> None:
    post = asyncio.ensure_future(rig.post(stream=stream))
    await rig.waiting(1)
    if stream:
        (await post).close()
    else:
        post.cancel()
    await rig.waiting(0)


async def test_a_model_that_failed_is_503_until_its_backoff_is_over(rig: Rig) -> None:
    retry_at = utc_now() + timedelta(seconds=30)
    await rig.become(state=ModelState.ERROR, reason="out of memory", failures=3, retry_at=retry_at)
    response = await rig.post(stream=True)
    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (503, "model_unavailable")
    assert "out of memory" in error["message"]
    assert 25 <= int(response.headers["retry-after"]) <= 30
    assert response.headers["x-should-retry"] == "false"
    await rig.until(lambda: rig.asked() == ["qwen"])


async def test_waiters_are_told_when_the_load_fails(rig: Rig) -> None:
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    retry_at = utc_now() + timedelta(seconds=30)
    await rig.become(state=ModelState.ERROR, reason="no memory", failures=1, retry_at=retry_at)
    assert (await post).status == 503


async def test_an_engine_that_had_served_and_failed_once_is_waited_for(rig: Rig) -> None:
    retry_at = utc_now() + timedelta(seconds=30)
    await rig.become(state=ModelState.ERROR, failures=1, retry_at=retry_at, load_s=2.0)
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    _, url = await rig.engine()
    await rig.loaded(url, generation=2)
    assert (await post).status == 200


async def test_waiters_of_a_model_that_is_removed_get_404(rig: Rig) -> None:
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    await rig.become(removed=True)
    assert (await post).status == 404
    await rig.until(lambda: not rig.gateway.stats.active)
    assert rig.gateway.stats.models == {}


async def test_a_model_that_went_while_a_request_ran_is_not_counted_for_ever(rig: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.05)
    await rig.loaded(url)
    keep_alive = {"keep_alive": 60, "max_tokens": 4}
    posts = [asyncio.ensure_future(rig.post(stream=True, **keep_alive)) for _ in range(2)]
    await rig.until(lambda: stub.running == 2)
    await rig.become(removed=True, state=ModelState.UNLOADING)
    assert list(rig.gateway.stats.models) == ["qwen"]  # the leases of the two
    for post in posts:
        assert "[DONE]" in await (await post).text()
    await rig.until(lambda: not rig.gateway.stats.active)
    assert rig.gateway.stats.models == {}


async def test_missed_messages_are_made_up_for_from_the_store(rig: Rig) -> None:
    post = asyncio.ensure_future(rig.post())
    await rig.waiting()
    _, url = await rig.engine()
    store = rig.around.store.models
    record = await store.get("qwen")
    assert record is not None
    changes = {"state": ModelState.LOADED, "endpoint": url, "generation": 1}
    await store.save(record.model_copy(update=changes))
    await rig.around.bus.lose_messages()
    assert (await post).status == 200


async def test_whoever_waits_for_a_load_is_told_at_once_that_the_gateway_stops(rig: Rig) -> None:
    plain = asyncio.create_task(rig.post())
    stream = await rig.post(stream=True)
    await rig.waiting(2)
    await rig.gateway.app.drain(grace_s=20)  # it is expected in 30 s
    assert (await plain).status == 503
    assert "is stopping" in await (await plain).text()
    assert "is stopping" in (await stream.text()).rsplit("data: ", 1)[1]
