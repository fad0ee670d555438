"""Keys, limits and usage of requests that go all the way through a gateway."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel

from modelium.common.api_keys import Scope
from modelium.common.events import KeyChanged, ModelRequested
from modelium.common.records import BY_CLIENT, ModelState, Task
from modelium.common.testing import a_descriptor
from modelium.common.usage import Figures
from modelium.gateway.pages.bodies import AnthropicErrorBody, ErrorBody, OipErrorBody
from tests.integration.gateway_rig import Rig, running_gateway


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A gateway where every request needs a key, and a loaded model."""
    async with running_gateway(authentication="keys") as rig:
        _, url = await rig.engine()
        await rig.loaded(url)
        yield rig


async def ask(rig: Rig, key: dict[str, str] | None, **body: Any) -> tuple[int, Any]:
    body = {"model": "qwen", "messages": [], "max_tokens": 5, **body}
    url = rig.url + "/v1/chat/completions"
    async with rig.http.post(url, json=body, headers=key) as response:
        text = await response.text()
        return response.status, text if body.get("stream") else json.loads(text)


async def figures(rig: Rig, organization: str = "acme") -> Figures:
    """All that the organisation has used, once it is written."""
    await rig.access.usage.flush()
    today = rig.around.clock.now().date()
    rows = await rig.around.store.usage.of(organization, today, today)
    return sum((row.figures for row in rows), Figures())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (None, "invalid_api_key"),
        ({"authorization": "Bearer none"}, "invalid_api_key"),
        ({"authorization": "Bearer mk-0123456789ab-wrong"}, "invalid_api_key"),
        ({"x-api-key": "mk-0123456789ab-wrong"}, "invalid_api_key"),
    ],
)
async def test_a_request_without_a_good_key_is_refused(
    rig: Rig, headers: dict[str, str] | None, code: str
) -> None:
    status, body = await ask(rig, headers)
    assert (status, body["error"]["code"]) == (401, code)


async def test_a_new_key_counts_at_once_in_either_header(rig: Rig) -> None:
    key = await rig.key()
    assert (await ask(rig, key))[0] == 200
    bare = {"x-api-key": key["authorization"].removeprefix("Bearer ")}
    assert (await ask(rig, bare))[0] == 200


async def test_a_revoked_key_ends_with_the_message_that_says_so(rig: Rig) -> None:
    key = await rig.key()
    assert (await ask(rig, key))[0] == 200
    [record] = await rig.around.store.api_keys.all()
    revoked = record.model_copy(update={"revoked_at": rig.around.clock.now()})
    await rig.around.store.api_keys.save(revoked)
    await rig.around.bus.publish(KeyChanged(key_id=record.key_id))
    await rig.until(lambda: not rig.access.keys.valid(rig.around.clock.now()))
    status, body = await ask(rig, key)
    assert status == 401
    assert "revoked" in body["error"]["message"]


async def test_an_expired_key_is_refused(rig: Rig) -> None:
    key = await rig.key(expires_at=rig.around.clock.now() - timedelta(days=1))
    assert (await ask(rig, key))[0] == 401


async def test_a_key_is_for_its_models_and_its_scopes(rig: Rig) -> None:
    await rig.become("llama", state=ModelState.UNLOADED)
    only_llama = await rig.key(models=("llama*",))
    status, body = await ask(rig, only_llama)
    assert (status, body["error"]["code"]) == (403, "insufficient_scope")
    assert (await ask(rig, only_llama, model="unknown"))[0] == 404
    reader = await rig.key(scopes=(Scope.READ,))
    assert (await ask(rig, reader))[0] == 403
    async with rig.http.get(rig.url + "/v1/models", headers=reader) as response:
        assert response.status == 200
    url = rig.url + "/admin/models/qwen/unload"
    async with rig.http.post(url, headers=reader) as response:
        assert response.status == 403
    admin = await rig.key(scopes=(Scope.ADMIN,))
    async with rig.http.post(url, headers=admin) as response:
        assert response.status == 202


async def test_what_needs_no_key(rig: Rig) -> None:
    for path in ("/", "/health", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        async with rig.http.get(rig.url + path) as response:
            assert response.status == 200, path
    for path in ("/v1/models", "/models", "/status", "/v2/models/qwen", "/admin/usage"):
        async with rig.http.get(rig.url + path) as response:
            assert response.status == 401, path


VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("path", "headers", "form"),
    [
        ("/v2/models/qwen", {}, OipErrorBody),
        ("/v2/health/ready", {}, OipErrorBody),
        ("/v1/models", VERSION, AnthropicErrorBody),
        ("/v1/models/qwen", VERSION, AnthropicErrorBody),
        ("/v1/models", {}, ErrorBody),
        ("/status", VERSION, ErrorBody),
    ],
)
async def test_a_refusal_has_the_form_of_the_routes_clients(
    rig: Rig, path: str, headers: dict[str, str], form: type[BaseModel]
) -> None:
    no_reader = await rig.key(scopes=(Scope.INFERENCE,))
    for key, status in (({}, 401), (no_reader, 403)):
        async with rig.http.get(rig.url + path, headers=headers | key) as response:
            assert response.status == status
            form.model_validate(await response.json())


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"requests_per_minute": 2}, "2 requests per minute"),
        ({"tokens_per_minute": 12}, "12 tokens per minute"),  # each request takes 6
    ],
)
async def test_a_limit_of_a_key_answers_429(rig: Rig, limit: dict[str, int], words: str) -> None:
    key, other = await rig.key(**limit), await rig.key()
    assert [(await ask(rig, key))[0] for _ in range(2)] == [200, 200]
    async with rig.http.post(
        rig.url + "/v1/chat/completions", json={"model": "qwen", "messages": []}, headers=key
    ) as response:
        assert response.status == 429
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert words in (await response.json())["error"]["message"]
    assert (await ask(rig, other))[0] == 200


async def test_concurrent_requests_are_limited_and_end_with_their_clients(rig: Rig) -> None:
    stub, url = await rig.engine(first_byte_delay_s=60.0)
    await rig.loaded(url, generation=2)
    key = await rig.key(concurrent_requests=1)
    body = {"model": "qwen", "messages": [], "stream": True}
    url = rig.url + "/v1/chat/completions"
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(timeout=timeout) as leaving:
        running = rig.group.create_task(leaving.post(url, json=body, headers=key))
        await rig.until(lambda: stub.running == 1)
        status, refused = await ask(rig, key)
        assert status == 429
        assert "1 concurrent requests" in refused["error"]["message"]
        running.cancel()
    await rig.until(lambda: stub.running == 0)
    stub.behaviour.first_byte_delay_s = 0
    assert (await ask(rig, key))[0] == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_counts_tokens_that_the_client_need_not_see(rig: Rig, stream: bool) -> None:
    key = await rig.key()
    status, answer = await ask(rig, key, stream=stream)
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
    _, answer = await ask(rig, key, stream=True, **options)
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
    status, body = await ask(rig, key)
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
    one = rig.group.create_task(ask(rig, first))
    await rig.waiting(1)
    other = rig.group.create_task(ask(rig, second))
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
