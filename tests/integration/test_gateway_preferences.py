"""What clients say about waiting, and for how long they want a model."""

from collections.abc import AsyncIterator

import pytest

from modelium.common.clock import SystemClock
from modelium.common.figures import FOREVER_S
from tests.integration.gateway_rig import Rig, running_gateway

URL = "/v1/chat/completions"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway(queue_timeout_seconds=30, stream_queue_timeout_seconds=60) as rig:
        yield rig


@pytest.mark.parametrize(
    ("header", "value", "applied"),
    [
        ("prefer", "wait=0", "wait=0"),
        ("prefer", 'foo; a="b, c", wait=1', "wait=1"),
        ("x-request-timeout", "0.2", None),
        ("x-stainless-timeout", "0.2", None),
    ],
)
async def test_a_client_says_how_long_it_waits(
    rig: Rig, header: str, value: str, applied: str | None
) -> None:
    clock = SystemClock()
    began_s = clock.monotonic()
    body = {"model": "qwen", "messages": []}
    async with rig.http.post(rig.url + URL, json=body, headers={header: value}) as response:
        assert response.status == 503
        assert response.headers.get("preference-applied") == applied
        assert int(response.headers["retry-after"]) >= 1
        loading = (await response.json())["loading"]
    assert clock.monotonic() - began_s < 10
    assert (loading["state"], loading["position"]) == ("unloaded", 1)


async def test_respond_async_after_a_wait(rig: Rig) -> None:
    headers = {"prefer": "respond-async, wait=1"}
    body = {"model": "qwen", "messages": []}
    async with rig.http.post(rig.url + URL, json=body, headers=headers) as response:
        assert response.status == 202
        assert response.headers["preference-applied"] == "respond-async, wait=1"


@pytest.mark.parametrize(("said", "kept_s"), [(0, 0), (-1, FOREVER_S), ("5m", 300), (90, 90)])
async def test_how_long_a_model_is_wanted_is_told(rig: Rig, said: object, kept_s: float) -> None:
    _, url = await rig.engine()
    await rig.loaded(url)
    assert (await rig.post(messages=[], keep_alive=said)).status == 200
    await rig.until(lambda: rig.figures()[-1].keep_alive_s == kept_s)


async def test_only_a_request_that_was_served_says_how_long(rig: Rig) -> None:
    """It moved models for clients that were told to come back, or had asked for nothing."""
    prefer = {"prefer": "wait=0"}
    body = {"model": "qwen", "messages": [], "keep_alive": -1}
    async with rig.http.post(rig.url + URL, json=body, headers=prefer) as response:
        assert response.status == 503
    stub, url = await rig.engine()
    await rig.loaded(url)
    stub.replies["/v1/completions"] = (400, [], b"{}")
    assert (await rig.post("/v1/completions", keep_alive=-1)).status == 400
    assert rig.gateway.stats.of("qwen").keep_alive_s is None


async def test_a_wrong_keep_alive_is_400(rig: Rig) -> None:
    response = await rig.post(messages=[], keep_alive="soon")
    assert response.status == 400
    assert "keep_alive" in (await response.json())["error"]["message"]
