"""What a web page that somebody on this machine visits can do with a gateway: nothing."""

from typing import Any

import pytest

from modelium.common.events import ModelUnloadRequested
from tests.integration.gateway_rig import Rig, running_gateway

EVIL = "http://evil.example"
PATHS = ("/admin/models/qwen/unload", "/v1/completions", "/predict/qwen", "/v1/models", "/metrics")


async def post(rig: Rig, path: str, **headers: str) -> tuple[int, Any]:
    """As a page may without being asked first: no content type of its own."""
    headers = {"content-type": "text/plain", **headers}
    async with rig.http.post(rig.url + path, data=b"{}", headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_of_another_site_and_a_name_of_another_owner_are_refused(path: str) -> None:
    async with running_gateway() as rig:
        status, text = await post(rig, path, origin=EVIL)
        assert (status, "foreign_origin" in text) == (403, True)
        status, text = await post(rig, path, host="evil.example", origin=EVIL)
        assert (status, "foreign_host" in text) == (403, True)
        assert rig.around.bus.of(ModelUnloadRequested) == []


async def test_our_own_page_and_clients_are_let_in() -> None:
    async with running_gateway(allowed_hosts=("models.example",)) as rig:
        path = PATHS[0]
        assert (await post(rig, path))[0] == 202
        assert (await post(rig, path, origin=rig.url))[0] == 202
        same = {"host": "models.example", "origin": "https://models.example"}
        assert (await post(rig, path, **same))[0] == 202
        assert (await post(rig, path, host="gateway:8000"))[0] == 202


APP = "https://app.example"
PREFLIGHT = {
    "origin": APP,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}
NAMED = "access-control-allow-origin"


async def test_the_page_of_an_allowed_site_uses_the_gateway_as_a_browser_does() -> None:
    async with running_gateway(authentication="keys", allowed_origins=(APP,)) as rig:
        url = rig.url + "/v1/chat/completions"
        async with rig.http.options(url, headers=PREFLIGHT) as answer:
            assert (answer.status, await answer.read()) == (204, b"")
            assert answer.headers[NAMED] == APP
            assert "POST" in answer.headers["access-control-allow-methods"]
            asked = PREFLIGHT["access-control-request-headers"]
            assert answer.headers["access-control-allow-headers"] == asked
        stub, engine = await rig.engine()
        await rig.loaded(engine)
        by_the_engine = [(b"Access-Control-Allow-Origin", b"*"), (b"x-own", b"1")]
        stub.replies["/v1/completions"] = (200, by_the_engine, b"{}")
        key = await rig.key()
        for path, more, status in [
            ("/v1/chat/completions", {"stream": True}, 200),
            ("/v1/completions", {}, 200),
            ("/v1/completions", {"model": "nobody"}, 404),
        ]:
            body, headers = {"model": "qwen", "messages": [], **more}, {"origin": APP, **key}
            async with rig.http.post(rig.url + path, json=body, headers=headers) as answer:
                assert answer.status == status
                assert answer.headers.getall(NAMED) == [APP]
                assert answer.headers["vary"] == "Origin"
        for path, status in (("/v1/models", 401), ("/healthz", 200)):
            async with rig.http.get(rig.url + path, headers={"origin": APP}) as answer:
                assert (answer.status, answer.headers.getall(NAMED)) == (status, [APP])


async def test_other_sites_and_clients_that_are_no_browser_are_told_nothing() -> None:
    async with running_gateway(authentication="keys", allowed_origins=(APP,)) as rig:
        for origin, status in ((EVIL, 405), (APP + ".evil.example", 405)):
            headers = {**PREFLIGHT, "origin": origin}
            url = rig.url + "/v1/completions"
            async with rig.http.options(url, headers=headers) as answer:
                assert (answer.status, NAMED in answer.headers) == (status, False)
        for headers in ({}, {"origin": EVIL}):
            async with rig.http.get(rig.url + "/healthz", headers=headers) as answer:
                assert NAMED not in answer.headers


async def test_an_allowed_site_is_let_in_also_where_no_key_is_needed() -> None:
    async with running_gateway(allowed_origins=(APP,)) as rig:
        assert (await post(rig, PATHS[0], origin=APP))[0] == 202
        status, text = await post(rig, PATHS[0], origin=EVIL)
        assert (status, "gateway.allowed_origins" in text) == (403, True)
        status, text = await post(rig, PATHS[0], host="evil.example", origin=APP)
        assert (status, "foreign_host" in text) == (403, True)


async def test_all_sites_are_let_in_where_a_key_is_needed() -> None:
    async with running_gateway(authentication="keys", allowed_origins=("*",)) as rig:
        answer = await rig.http.options(rig.url + "/v1/models", headers=PREFLIGHT)
        assert (answer.status, answer.headers[NAMED]) == (204, "*")


async def test_where_keys_are_needed_the_key_is_what_counts() -> None:
    async with running_gateway(authentication="keys") as rig:
        key = await rig.key()
        async with rig.http.get(rig.url + "/v1/models", headers={"origin": EVIL, **key}) as answer:
            assert answer.status == 200
