"""Every route of a running gateway: which models it is for, and how it says no."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from modelium.common.descriptor import Descriptor, Overrides, RuntimeKind, Task
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor, an_agent_record
from modelium.gateway.edge.paths import INFER, RULES, Dialect, ModelIn, Rule, routes_of
from tests.integration.gateway_rig import Rig, running_gateway
from tests.stubs.engine_app import StubEngine

CHAT = RULES["/v1/chat/completions"]
RULES_AND_INFER = [*RULES.values(), INFER]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway() as rig:
        yield rig


async def ask(rig: Rig, rule: Rule, model: str = "qwen") -> tuple[int, Any]:
    url = rig.url + rule.path.replace("{model}", model)
    if rule.model_in is ModelIn.MULTIPART:
        form = aiohttp.FormData()
        form.add_field("file", b"RIFF", filename="a.wav")
        form.add_field("model", model)
        response = await rig.http.post(url, data=form)
    else:
        response = await rig.http.post(url, json={"model": model, "inputs": []})
    return response.status, await response.json()


@pytest.mark.parametrize("runtime", RuntimeKind)
async def test_each_route_for_each_task(rig: Rig, runtime: RuntimeKind) -> None:
    """The engine answers what the model is for; everything else is refused without it."""
    stub, url = await rig.engine()
    await rig.loaded(url)
    for task in Task:
        await check_routes(rig, stub, a_descriptor(task=task, runtime=runtime))


async def check_routes(rig: Rig, stub: StubEngine, about: Descriptor) -> None:
    await rig.become(descriptor=about)
    for rule in RULES_AND_INFER:
        path = rule.path.replace("{model}", "qwen")
        stub.replies[path] = (200, [(b"content-type", b"application/json")], b'{"by": "stub"}')
        status, body = await ask(rig, rule)
        if rule.path in routes_of(about):
            assert (status, body) == (200, {"by": "stub"}), rule.path
        else:
            check_refusal(rule, status, body, about_task=about.task)
    answered = [rule for rule in RULES_AND_INFER if rule.path in routes_of(about)]
    assert len(stub.received) == len(answered)
    stub.received.clear()


def check_refusal(rule: Rule, status: int, body: Any, *, about_task: Task) -> None:
    assert status == 400, rule.path
    message = body["error"] if rule.dialect is Dialect.OIP else body["error"]["message"]
    assert f"'qwen' is a model for {about_task} and does not answer {rule.path}." in message
    assert "It answers /" in message
    if rule.dialect is Dialect.ANTHROPIC:
        assert body["type"] == "error"


@pytest.mark.parametrize("rule", RULES_AND_INFER, ids=lambda rule: rule.path)
async def test_an_unknown_model_is_404_in_the_form_of_the_route(rig: Rig, rule: Rule) -> None:
    status, body = await ask(rig, rule, "nobody")
    assert status == 404
    message = body["error"] if rule.dialect is Dialect.OIP else body["error"]["message"]
    assert "'nobody' does not exist" in message


@pytest.mark.parametrize("path", ["/v1/messages", "/v2/models/qwen/infer", "/predict/qwen"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
async def test_another_method_is_405_that_names_the_right_one(
    rig: Rig, path: str, method: str
) -> None:
    response = await rig.http.request(method, rig.url + path)
    assert (response.status, response.headers["allow"]) == (405, "POST")
    response = await rig.http.request("DELETE", rig.url + "/v1/models")
    assert (response.status, response.headers["allow"]) == (405, "GET")


async def test_a_form_goes_to_the_engine_byte_for_byte(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    await rig.become(descriptor=a_descriptor(task=Task.TRANSCRIPTION))
    stub.replies["/v1/audio/transcriptions"] = (200, [], b"{}")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n\x00\r\n-\r\n'
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nqwen\r\n--b--\r\nepilogue'
    )
    kind = "multipart/form-data; boundary=b"
    response = await rig.http.post(
        rig.url + "/v1/audio/transcriptions", data=body, headers={"content-type": kind}
    )
    assert response.status == 200
    assert stub.received[-1].body == body
    assert dict(stub.received[-1].headers)[b"content-type"].decode() == kind


async def test_curl_without_a_content_type_is_understood_by_the_engine(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = b'{"model": "qwen", "messages": []}'
    response = await rig.http.post(rig.url + "/v1/chat/completions", data=body, headers=headers)
    assert response.status == 200
    assert dict(stub.received[-1].headers)[b"content-type"] == b"application/json"
    assert stub.received[-1].body == body


async def test_a_model_named_in_an_encoded_path(rig: Rig) -> None:
    stub, url = await rig.engine(model="qwen2.5-0.5b")
    await rig.loaded(url, "qwen2.5-0.5b")
    about = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE)
    await rig.become("qwen2.5-0.5b", descriptor=about)
    stub.replies["/v2/models/qwen2.5-0.5b/infer"] = (200, [], b"{}")
    response = await rig.http.post(rig.url + "/v2/models/qwen2%2E5-0%2e5b/infer?a=%2F", data=b"x")
    assert response.status == 200
    assert stub.received[-1].path == "/v2/models/qwen2.5-0.5b/infer"


async def test_a_model_s_further_names_reach_it_and_count_for_it(rig: Rig) -> None:
    stub, url = await rig.engine(model="gpt-4o-mini")
    overrides = Overrides(aliases=("gpt-4o-mini",))
    await rig.become(descriptor=a_descriptor(overrides=overrides))
    await rig.loaded(url)
    body = b'{"model": "gpt-4o-mini", "messages": []}'
    response = await rig.http.post(rig.url + "/v1/chat/completions", data=body)
    assert response.status == 200
    assert stub.received[-1].body == body  # its engine knows the name
    assert (await (await rig.http.get(rig.url + "/models/gpt-4o-mini")).json())["model"] == "qwen"
    tensors = a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE, overrides=overrides)
    await rig.become(descriptor=tensors)
    stub.replies["/v2/models/qwen/infer"] = (200, [], b"{}")
    response = await rig.http.post(rig.url + "/v2/models/gpt-4o-mini/infer", data=b"x")
    assert response.status == 200
    assert stub.received[-1].path == "/v2/models/qwen/infer"
    await rig.become(descriptor=a_descriptor())
    assert (await rig.post(model="gpt-4o-mini")).status == 404


async def test_the_open_inference_protocol_about_server_and_models(rig: Rig) -> None:
    async def get(path: str) -> tuple[int, Any]:
        response = await rig.http.get(rig.url + path)
        return response.status, await response.json()

    assert (await get("/v2"))[1]["name"] == "modelium"
    assert await get("/v2/health/live") == (200, {"live": True})
    assert await get("/v2/health/ready") == (200, {"ready": True})
    for path in ("/v2/models/qwen", "/v2/models/qwen/versions/1"):
        status, model = await get(path)
        assert (status, model["name"], model["versions"]) == (200, "qwen", ["1"])
    status, ready = await get("/v2/models/qwen/ready")
    assert (status, ready["ready"], ready["modelium"]["state"]) == (503, False, "unloaded")
    assert rig.asked() == []  # it loads nothing
    await rig.become(state=ModelState.LOADED, endpoint="http://127.0.0.1:1", generation=1)
    assert (await get("/v2/models/qwen/versions/1/ready"))[0] == 200
    for path in ("/v2/models/nobody", "/v2/models/qwen/versions/7", "/v2/nothing"):
        status, body = await get(path)
        assert (status, type(body["error"])) == (404, str)


async def test_models_in_anthropics_form(rig: Rig) -> None:
    await rig.become("other")
    headers = {"anthropic-version": "2023-06-01"}
    url = rig.url + "/v1/models"
    listed = await (await rig.http.get(url, headers=headers, params={"limit": "1"})).json()
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (True, "other", "other")
    [card] = listed["data"]
    assert (card["type"], card["display_name"]) == ("model", "other")
    response = await rig.http.get(url + "/qwen", headers=headers)
    assert (await response.json())["modelium"]["state"] == "unloaded"
    response = await rig.http.get(url + "/nobody", headers=headers)
    assert (await response.json())["error"]["type"] == "not_found_error"
    response = await rig.http.get(url, headers=headers, params={"limit": "0"})
    assert response.status == 400
    assert "query.limit" in (await response.json())["error"]["message"]


async def test_the_official_clients_list_and_retrieve_models(rig: Rig) -> None:
    for model in ("a", "b", "c"):
        await rig.become(model)
    async with openai.AsyncOpenAI(base_url=rig.url + "/v1", api_key="k") as client:
        assert [m.id async for m in client.models.list()] == ["a", "b", "c", "qwen"]
        assert (await client.models.retrieve("qwen")).owned_by == "modelium"
    async with anthropic.AsyncAnthropic(base_url=rig.url, api_key="k") as client:
        assert [m.id async for m in client.models.list(limit=1)] == ["a", "b", "c", "qwen"]
        assert (await client.models.retrieve("qwen")).display_name == "qwen"
        with pytest.raises(anthropic.NotFoundError, match="does not exist"):
            await client.models.retrieve("nobody")


async def test_only_models_that_the_caller_may_use_are_shown(rig: Rig) -> None:
    await rig.become("other")
    key = await rig.key(models=("qwen",))
    agent = an_agent_record(instances=("qwen.1", "other.2"))
    await rig.around.store.agents.renew(agent, ttl_s=60)
    waiters = [rig.group.create_task(ask(rig, CHAT, model)) for model in ("qwen", "other")]
    await rig.waiting(model="qwen")
    await rig.waiting(model="other")

    async def names(path: str, headers: dict[str, str]) -> str:
        return json.dumps(await (await rig.http.get(rig.url + path, headers=headers)).json())

    anthropic = {"anthropic-version": "1", **key}
    for path, headers in (
        ("/v1/models", key),
        ("/v1/models", anthropic),
        ("/models", key),
        ("/status", key),
    ):
        shown = await names(path, headers)
        assert '"qwen"' in shown
        assert "other" not in shown
    status = await (await rig.http.get(rig.url + "/status", headers=key)).json()
    assert status["gateway"]["waiting"] == {"qwen": 1}
    assert [agent["instances"] for agent in status["agents"]] == [["qwen.1"]]
    for path in ("/v1/models/other", "/models/other", "/v2/models/other", "/v2/models/other/ready"):
        assert (await rig.http.get(rig.url + path, headers=key)).status == 404
    for waiter in waiters:
        waiter.cancel()


async def test_the_root_says_where_to_look(rig: Rig) -> None:
    index = await (await rig.http.get(rig.url + "/")).json()
    for path in (index["documentation"], index["openapi"], index["models"], index["status"]):
        assert (await rig.http.get(rig.url + path)).status == 200
    response = await rig.http.get(rig.url + "/v1/nothing")
    assert response.status == 404
    assert "/docs" in (await response.json())["error"]["message"]
