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


async def test_where_keys_are_needed_the_key_is_what_counts() -> None:
    async with running_gateway(authentication="keys") as rig:
        key = await rig.key()
        async with rig.http.get(rig.url + "/v1/models", headers={"origin": EVIL, **key}) as answer:
            assert answer.status == 200
