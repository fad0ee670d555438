"""Keys and limits of requests that go all the way through a gateway."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import BaseModel

from modelium.common.api_keys import Scope
from modelium.common.events import KeyChanged
from modelium.common.records import ModelState
from modelium.common.testing import yield_to_others
from modelium.gateway.pages.bodies import AnthropicErrorBody, ErrorBody, OipErrorBody
from tests.integration.gateway_rig import Rig, gateway_with_keys


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with gateway_with_keys() as rig:
        yield rig


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
    status, body = await rig.chat(headers)
    assert (status, body["error"]["code"]) == (401, code)


async def test_a_new_key_counts_at_once_in_either_header(rig: Rig) -> None:
    key = await rig.key()
    assert (await rig.chat(key))[0] == 200
    bare = {"x-api-key": key["authorization"].removeprefix("Bearer ")}
    assert (await rig.chat(bare))[0] == 200


async def test_a_revoked_key_ends_with_the_message_that_says_so(rig: Rig) -> None:
    key = await rig.key()
    assert (await rig.chat(key))[0] == 200
    [record] = await rig.around.store.api_keys.all()
    revoked = record.model_copy(update={"revoked_at": rig.around.clock.now()})
    await rig.around.store.api_keys.save(revoked)
    await rig.around.bus.publish(KeyChanged(key_id=record.key_id))
    await rig.until(lambda: not rig.access.keys.valid(rig.around.clock.now()))
    status, body = await rig.chat(key)
    assert status == 401
    assert "revoked" in body["error"]["message"]


async def test_an_expired_key_is_refused(rig: Rig) -> None:
    key = await rig.key(expires_at=rig.around.clock.now() - timedelta(days=1))
    assert (await rig.chat(key))[0] == 401


async def test_a_mistyped_model_is_told_with_one_that_its_key_may_use(rig: Rig) -> None:
    for name in ("Llama-1b", "hidden"):
        await rig.become(name, state=ModelState.UNLOADED)
    await rig.become("Llama-bad", state=ModelState.REJECTED)
    key = await rig.key(models=("Llama*",))
    for wrong, guess in (
        ("lama-1b", "; did you mean 'Llama-1b'? GET"),
        ("hiden", "; GET"),
        ("Llama-bd", "; did you mean 'Llama-1b'? GET"),
    ):
        _, body = await rig.chat(key, model=wrong)
        assert guess in body["error"]["message"]
        async with rig.http.get(rig.url + f"/v1/models/{wrong}", headers=key) as answer:
            assert guess in (await answer.json())["error"]["message"]


async def test_a_key_is_for_its_models_and_its_scopes(rig: Rig) -> None:
    await rig.become("llama", state=ModelState.UNLOADED)
    only_llama = await rig.key(models=("llama*",))
    status, body = await rig.chat(only_llama)
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    assert "did you mean" not in body["error"]["message"]
    reader = await rig.key(scopes=(Scope.READ,))
    assert (await rig.chat(reader))[0] == 403
    async with rig.http.get(rig.url + "/v1/models", headers=reader) as response:
        assert response.status == 200
    url = rig.url + "/admin/models/qwen/unload"
    async with rig.http.post(url, headers=reader) as response:
        assert response.status == 403
    admin = await rig.key(scopes=(Scope.ADMIN,))
    async with rig.http.post(url, headers=admin) as response:
        assert response.status == 202


TOO_LATE = {"failures": 3, "reason": "CUDA error 7"}


@pytest.mark.parametrize(
    "becomes",
    [
        {"state": ModelState.UNLOADED},
        {"state": ModelState.REJECTED, "reason": "no weights"},
        {"state": ModelState.UNLOADED, "refused": True, "reason": "fits nowhere"},
        {"state": ModelState.ERROR, **TOO_LATE},
    ],
)
async def test_of_a_model_for_others_a_key_learns_nothing_and_moves_nothing(
    rig: Rig, becomes: dict[str, Any]
) -> None:
    if becomes["state"] is ModelState.ERROR:
        becomes = {**becomes, "retry_at": rig.around.clock.now() + timedelta(hours=1)}
    await rig.become(endpoint=None, endpoints=(), **becomes)
    asked, other = rig.asked(), await rig.key(models=("other-*",))
    _, nobodys = await rig.chat(other, model="nobody")
    for path in ("/v1/chat/completions", "/v1/audio/speech", "/predict/qwen"):
        async with rig.http.post(rig.url + path, json={"model": "qwen"}, headers=other) as response:
            assert response.status == 404, path
            told = (await response.json())["error"]
            assert told == {**nobodys["error"], "message": told["message"]}
            assert told["message"] == nobodys["error"]["message"].replace("nobody", "qwen")
    await yield_to_others()
    assert rig.asked() == asked


async def test_limits_count_also_where_a_model_cannot_serve(rig: Rig) -> None:
    retry_at = rig.around.clock.now() + timedelta(hours=1)
    await rig.become(state=ModelState.ERROR, retry_at=retry_at, **TOO_LATE)
    key = await rig.key(requests_per_minute=2)
    assert [(await rig.chat(key))[0] for _ in range(3)] == [503, 503, 429]
    running = await rig.key(concurrent_requests=1)
    assert [(await rig.chat(running))[0] for _ in range(2)] == [503, 503]


async def test_what_needs_no_key(rig: Rig) -> None:
    for path in ("/", "/health", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"):
        async with rig.http.get(rig.url + path) as response:
            assert response.status == 200, path
    for path in ("/v1/models", "/models", "/status", "/v2/models/qwen", "/admin/usage"):
        async with rig.http.get(rig.url + path) as response:
            assert response.status == 401, path


async def test_refusals_of_pages_count_like_those_of_requests(rig: Rig) -> None:
    no_reader = await rig.key(scopes=(Scope.INFERENCE,))
    for key in ({}, no_reader, no_reader):
        await rig.http.get(rig.url + "/v1/models", headers=key)
    assert rig.gateway.stats.refusals == {"invalid_api_key": 1, "insufficient_scope": 2}


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
    assert [(await rig.chat(key))[0] for _ in range(2)] == [200, 200]
    async with rig.http.post(
        rig.url + "/v1/chat/completions", json={"model": "qwen", "messages": []}, headers=key
    ) as response:
        assert response.status == 429
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert words in (await response.json())["error"]["message"]
    assert (await rig.chat(other))[0] == 200


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
        status, refused = await rig.chat(key)
        assert status == 429
        assert "1 concurrent requests" in refused["error"]["message"]
        running.cancel()
    await rig.until(lambda: stub.running == 0)
    stub.behaviour.first_byte_delay_s = 0
    assert (await rig.chat(key))[0] == 200
