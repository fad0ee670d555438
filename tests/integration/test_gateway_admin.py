"""Keys and usage over HTTP, as operators and clients of a gateway meet them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelium.common.api_keys import Scope, mint
from modelium.common.clock import utc_now
from modelium.common.events import KeyChanged
from modelium.common.settings_base import MIB
from modelium.common.settings_gateway import QuotaSettings
from tests.integration.gateway_rig import Rig, running_gateway

PEPPER = "a pepper for tests"


async def a_key(rig: Rig, **fields: Any) -> dict[str, str]:
    """The headers of a new key that the gateway has not heard of."""
    given = {"organization": "acme", "scopes": (Scope.INFERENCE, Scope.READ)} | fields
    minted = mint(PEPPER.encode(), now=utc_now(), **given)
    await rig.around.store.api_keys.save(minted.record)
    return {"authorization": f"Bearer {minted.text}"}


def closed(**settings: Any) -> Any:
    return running_gateway(authentication="keys", key_pepper=PEPPER, **settings)


async def chat(rig: Rig, headers: dict[str, str], model: str = "qwen") -> tuple[int, Any, Any]:
    url = f"{rig.url}/v1/chat/completions"
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    async with rig.http.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_without_a_key_nothing_is_answered_but_health_and_documents() -> None:
    async with closed() as rig:
        status, body, headers = await chat(rig, {})
        assert (status, body["error"]["code"]) == (401, "invalid_api_key")
        assert headers["www-authenticate"] == "Bearer"
        for path, wanted in (
            ("/health", 200),
            ("/openapi.json", 200),
            ("/v1/models", 401),
            ("/admin/keys", 401),
            ("/admin/usage", 401),
        ):
            async with rig.http.get(rig.url + path) as answer:
                assert answer.status == wanted, path


async def test_a_new_key_works_at_once_in_its_own_name_and_for_its_models_only() -> None:
    async with closed() as rig:
        _, endpoint = await rig.engine()
        await rig.loaded(endpoint)
        key = await a_key(rig, models=("qwen*",))
        assert (await chat(rig, key))[0] == 200
        assert (await chat(rig, {"x-api-key": key["authorization"][7:]}))[0] == 200
        other = await a_key(rig, models=("llama*",))
        await rig.around.bus.publish(KeyChanged(key_id="any"))
        assert (await chat(rig, other))[0] in (403, 404)
        reader = await a_key(rig, scopes=(Scope.READ,))
        await rig.around.bus.publish(KeyChanged(key_id="any"))
        assert (await chat(rig, reader))[0] == 403


async def test_requests_beyond_the_limit_get_429_and_the_time_to_wait() -> None:
    async with closed(limits=QuotaSettings(requests_per_minute=3)) as rig:
        _, endpoint = await rig.engine()
        await rig.loaded(endpoint)
        key = await a_key(rig)
        answers = [await chat(rig, key) for _ in range(5)]
        assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
        _, body, headers = answers[-1]
        assert body["error"]["code"] == "rate_limit_exceeded"
        assert "organisation acme" in body["error"]["message"]
        assert 50 < int(headers["retry-after"]) <= 60


async def test_what_was_used_is_shown_to_its_organisation() -> None:
    async with closed() as rig:
        _, endpoint = await rig.engine()
        await rig.loaded(endpoint)
        key = await a_key(rig)
        for _ in range(2):
            assert (await chat(rig, key))[0] == 200
        usage: list[Any] = []
        while not usage:
            async with rig.http.get(f"{rig.url}/admin/usage", headers=key) as answer:
                assert answer.status == 200
                usage = (await answer.json())["usage"]
        assert (usage[0]["organization"], usage[0]["model"]) == ("acme", "qwen")
        assert usage[0]["requests"] == 2
        assert usage[0]["completion_tokens"] > 0
        assert usage[0]["device_seconds"] > 0


async def test_an_admin_makes_and_ends_a_key_over_http() -> None:
    async with closed() as rig:
        _, endpoint = await rig.engine()
        await rig.loaded(endpoint)
        admin = await a_key(rig, scopes=(Scope.ADMIN,))
        url = f"{rig.url}/admin/keys"
        async with rig.http.post(url, json={"name": "ci"}, headers=admin) as answer:
            assert answer.status == 201
            made = await answer.json()
        bearer = {"authorization": f"Bearer {made['key']}"}
        assert (await chat(rig, bearer))[0] == 200
        async with rig.http.delete(f"{url}/{made['key_id']}", headers=admin) as answer:
            assert answer.status == 200
        assert (await chat(rig, bearer))[0] == 401
        async with rig.http.post(url, json={"scopes": ["x"]}, headers=admin) as answer:
            assert answer.status == 400
        async with rig.http.get(url, headers=bearer) as answer:
            assert answer.status == 401
        async with rig.http.put(url, headers=admin) as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded"])
async def test_a_command_needs_no_content_type(kind: str | None) -> None:
    async with running_gateway() as rig:
        headers = {"content-type": kind} if kind else {}
        url = f"{rig.url}/admin/keys"
        skipped = () if kind else ("content-type",)
        async with rig.http.post(
            url, data=b'{"name": "ci"}', headers=headers, skip_auto_headers=skipped
        ) as answer:
            assert (answer.status, (await answer.json())["name"]) == (201, "ci")
        async with rig.http.post(url, data=b"{}", headers={"content-encoding": "br"}) as answer:
            assert answer.status == 415


@pytest.mark.parametrize("model", ["", "  "])
async def test_a_key_for_a_model_without_a_name_is_refused(model: str) -> None:
    async with running_gateway() as rig:
        wanted = {"models": ["qwen", model]}
        async with rig.http.post(f"{rig.url}/admin/keys", json=wanted) as answer:
            told = (await answer.json())["error"]["message"]
            assert (answer.status, "models.1" in told) == (400, True)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("settings", "bound"), [({"max_body_bytes": 1000}, 1000), ({}, MIB)])
async def test_a_command_that_is_too_large_is_413_and_read_no_further(
    settings: dict[str, int], bound: int, chunked: bool
) -> None:
    """50 MB were read, whatever the settings said."""
    async with running_gateway(**settings) as rig:
        whole = b'{"organization": "acme", "name": "%b"}' % (b"x" * 50 * bound)

        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(whole), 100_000):
                yield whole[at : at + 100_000]

        headers = {"content-type": "application/json"}
        data = parts() if chunked else whole
        async with rig.http.post(rig.url + "/admin/keys", data=data, headers=headers) as answer:
            told = (await answer.json())["error"]
            assert (answer.status, told["code"]) == (413, "request_too_large")
            assert f"larger than {bound} bytes" in told["message"]
