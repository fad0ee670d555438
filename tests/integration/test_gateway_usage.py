"""What requests that go all the way through a gateway are charged with."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from modelium.common.descriptor import Task
from modelium.common.events import ModelRequested
from modelium.common.origins import BY_CLIENT
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor
from modelium.common.usage import Figures
from tests.integration.gateway_rig import Rig, gateway_with_keys


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with gateway_with_keys() as rig:
        yield rig


async def figures(rig: Rig, organization: str = "acme") -> Figures:
    """All that the organisation has used, once it is written."""
    await rig.access.usage.flush()
    today = rig.around.clock.now().date()
    rows = await rig.around.store.usage.of(organization, today, today)
    return sum((row.figures for row in rows), Figures())


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_counts_tokens_that_the_client_need_not_see(rig: Rig, stream: bool) -> None:
    key = await rig.key()
    status, answer = await rig.chat(key, stream=stream)
    assert status == 200
    if stream:
        assert '"usage"' not in answer
    used = await figures(rig)
    assert (used.requests, used.prompt_tokens, used.completion_tokens) == (1, 1, 5)
    assert 0 < used.device_seconds < 5
    assert used.load_seconds == 0


async def test_a_client_that_asked_for_usage_gets_it(rig: Rig) -> None:
    key = await rig.key()
    options = {"stream_options": {"include_usage": True}}
    _, answer = await rig.chat(key, stream=True, **options)
    assert '"completion_tokens": 5' in answer
    assert (await figures(rig)).completion_tokens == 5


async def test_a_stream_that_its_client_leaves_costs_what_it_has_got(rig: Rig) -> None:
    stub, url = await rig.engine(chunk_delay_s=0.01)
    await rig.loaded(url, generation=2)
    key = await rig.key()
    messages = [{"role": "user", "content": "x" * 4000}]
    body = {"model": "qwen", "messages": messages, "stream": True, "max_tokens": 10_000}
    async with rig.http.post(rig.url + "/v1/chat/completions", json=body, headers=key) as response:
        for _ in range(6):
            await response.content.readline()
        response.close()
    await rig.until(lambda: stub.running == 0)
    used = await figures(rig)
    assert 3 <= used.completion_tokens < 10_000
    assert 1000 < used.prompt_tokens < 1100  # a quarter of the body


@dataclass
class SilentEngine:
    """Takes every request and never answers."""

    received: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.received += 1
        while (await receive())["type"] != "http.disconnect":
            pass


async def leave(rig: Rig, key: dict[str, str], path: str, **body: Any) -> None:
    """Ask an engine that does not answer, and go as soon as it works on it."""
    engine = SilentEngine()
    await rig.loaded(rig.serve(engine), generation=2)
    async with aiohttp.ClientSession(headers=key) as leaving:
        asking = rig.group.create_task(leaving.post(rig.url + path, **body))
        await rig.until(lambda: engine.received == 1)
        asking.cancel()
    await rig.until(lambda: not rig.gateway.stats.active)


async def test_tokens_per_minute_cannot_be_avoided_by_leaving(rig: Rig) -> None:
    key = await rig.key(tokens_per_minute=100)
    messages = [{"role": "user", "content": "x" * 4000}]
    await leave(rig, key, "/v1/chat/completions", json={"model": "qwen", "messages": messages})
    used = await figures(rig)
    assert 1000 < used.prompt_tokens < 1100
    status, body = await rig.chat(key)
    assert status == 429
    assert "100 tokens per minute" in body["error"]["message"]


async def test_a_client_that_leaves_before_an_engine_was_asked_owes_no_tokens(rig: Rig) -> None:
    await rig.become(state=ModelState.UNLOADED, endpoint=None, endpoints=())
    key = await rig.key()
    body = {"model": "qwen", "messages": [{"role": "user", "content": "x" * 4000}]}
    async with aiohttp.ClientSession(headers=key) as leaving:
        url = rig.url + "/v1/chat/completions"
        asking = rig.group.create_task(leaving.post(url, json=body))
        await rig.waiting(1)
        asking.cancel()
    await rig.until(lambda: not rig.gateway.stats.active)
    assert await figures(rig) == Figures(requests=1)


async def test_the_bytes_of_a_file_are_not_taken_for_tokens(rig: Rig) -> None:
    await rig.become(descriptor=a_descriptor(task=Task.TRANSCRIPTION))
    form = aiohttp.FormData()
    form.add_field("file", b"RIFF" * 1000, filename="a.wav")
    form.add_field("model", "qwen")
    await leave(rig, await rig.key(), "/v1/audio/transcriptions", data=form)
    used = await figures(rig)
    assert (used.requests, used.prompt_tokens) == (1, 0)


async def test_the_load_is_charged_to_the_one_who_caused_it(rig: Rig) -> None:
    first, second = await rig.key(organization="first"), await rig.key(organization="second")
    await rig.become(state=ModelState.UNLOADED, endpoint=None, endpoints=())
    _, url = await rig.engine()
    one = rig.group.create_task(rig.chat(first))
    await rig.waiting(1)
    other = rig.group.create_task(rig.chat(second))
    await rig.waiting(2)
    await rig.loaded(url, generation=2)
    assert [(await task)[0] for task in (one, other)] == [200, 200]
    assert (await figures(rig, "first")).load_seconds == pytest.approx(2.0)
    assert (await figures(rig, "second")).load_seconds == 0


async def test_respond_async_starts_the_load_and_says_where_to_look(rig: Rig) -> None:
    await rig.become(state=ModelState.UNLOADED, endpoint=None, endpoints=())
    key = {**await rig.key(), "prefer": "respond-async"}
    url = rig.url + "/v1/chat/completions"
    async with rig.http.post(url, json={"model": "qwen"}, headers=key) as response:
        assert response.status == 202
        assert response.headers["location"] == "/models/qwen"
        assert response.headers["preference-applied"] == "respond-async"
        assert (await response.json())["state"] == "unloaded"
    await rig.until(lambda: bool(rig.around.bus.of(ModelRequested)))
    assert rig.around.bus.of(ModelRequested)[-1].requested_by == BY_CLIENT


async def test_respond_async_is_limited_and_counted_as_any_request(rig: Rig) -> None:
    await rig.become(state=ModelState.UNLOADED, endpoint=None, endpoints=())
    key = {**await rig.key(requests_per_minute=1), "prefer": "respond-async"}
    url = rig.url + "/v1/chat/completions"
    answers = []
    for _ in range(3):
        async with rig.http.post(url, json={"model": "qwen"}, headers=key) as response:
            answers.append(response.status)
    assert answers == [202, 429, 429]
    assert (await figures(rig)).requests == 1
