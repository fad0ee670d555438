"""What goes through a gateway unchanged, and what it answers by itself."""

import json
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from modelium.common.descriptor import Task
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor
from tests.integration.gateway_rig import Rig, running_gateway


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway(max_body_bytes=200_000) as rig:
        yield rig


async def test_compressed_answers_stay_compressed(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    stub.replies["/tokenize"] = (200, [(b"content-encoding", b"gzip")], b"\x1f\x8b-not-really")
    rig.http._auto_decompress = False
    response = await rig.post("/tokenize", prompt="x")
    assert await response.read() == b"\x1f\x8b-not-really"


async def test_unknown_model_is_404_before_anything_else(rig: Rig) -> None:
    response = await rig.post(model="nobody", stream=True)
    assert response.status == 404
    error = (await response.json())["error"]
    assert (error["code"], error["type"]) == ("model_not_found", "invalid_request_error")
    assert rig.asked() == []


async def test_removed_model_is_404(rig: Rig) -> None:
    await rig.become(removed=True, state=ModelState.UNLOADING)
    assert (await rig.post()).status == 404
    assert (await rig.http.get(rig.url + "/v1/models/qwen")).status == 404


async def test_rejected_model_says_why(rig: Rig) -> None:
    await rig.become(state=ModelState.REJECTED, reason="config.json is missing")
    response = await rig.post()
    assert response.status == 400
    assert "config.json is missing" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("body", [b'{"inputs": {"x": [1]}}', b"a form, or an image"])
async def test_a_prediction_by_a_rejected_model_says_why(rig: Rig, body: bytes) -> None:
    await rig.become(state=ModelState.REJECTED, reason="config.json is missing", descriptor=None)
    response = await rig.http.post(rig.url + "/predict/qwen", data=body)
    error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, "model_rejected")
    assert "config.json is missing" in error["message"]


async def test_a_prediction_by_a_model_not_yet_analysed_is_to_be_asked_for_again(rig: Rig) -> None:
    await rig.become(state=ModelState.ANALYZING, descriptor=None)
    response = await rig.http.post(rig.url + "/predict/qwen", json={"inputs": {"x": [1]}})
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert "analyzing" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"model": "qwen"', "not valid JSON"),
        (b"[1]", "must be a JSON object"),
        (b'{"messages": []}', "must name the model"),
        (b'{"model": 7}', "'model' is wrong: expected `str`, got `int`"),
        (b"", "not valid JSON"),
        (b'{"model": "\xff"}', "not valid JSON"),
    ],
)
async def test_wrong_bodies_are_400_with_what_was_wrong(rig: Rig, body: bytes, says: str) -> None:
    response = await rig.http.post(rig.url + "/v1/completions", data=body)
    assert response.status == 400
    assert says in (await response.json())["error"]["message"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_bound_is_413(rig: Rig, chunked: bool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    data = parts() if chunked else b" " * 300_000
    response = await rig.http.post(rig.url + "/v1/completions", data=data)
    assert response.status == 413


async def test_a_chunked_body_within_the_bound_reaches_the_engine_whole(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)

    async def parts() -> AsyncIterator[bytes]:
        yield b'{"model": "qwen", "prompt": "'
        yield b"y" * 100_000
        yield b'"}'

    response = await rig.http.post(rig.url + "/v1/completions", data=parts())
    assert response.status == 200
    assert stub.received[-1].body == b'{"model": "qwen", "prompt": "' + b"y" * 100_000 + b'"}'


async def test_other_methods_are_405(rig: Rig) -> None:
    response = await rig.http.get(rig.url + "/v1/completions")
    assert (response.status, (await response.json())["error"]["code"]) == (
        405,
        "method_not_allowed",
    )


async def test_a_path_for_another_task_is_refused_without_loading(rig: Rig) -> None:
    response = await rig.post("/v1/embeddings", input="x")
    assert response.status == 400
    assert "model for chat" in (await response.json())["error"]["message"]
    assert rig.asked() == []


async def test_a_completion_model_may_answer_chats_itself(rig: Rig) -> None:
    _, url = await rig.engine()
    await rig.loaded(url)
    await rig.become(descriptor=a_descriptor(task=Task.COMPLETION, has_chat_template=False))
    assert (await rig.post(messages=[])).status == 200


@pytest.mark.parametrize(
    ("body", "path", "sent"),
    [
        ({"prompt": "p", "max_tokens": 1}, "/v1/completions", {"prompt": "p"}),
        ({"messages": [1], "max_tokens": 1}, "/v1/chat/completions", {"messages": [1]}),
        (
            {"input": "i", "max_tokens": 1},
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "i"}]},
        ),
    ],
)
async def test_predict_is_translated(
    rig: Rig, body: dict[str, object], path: str, sent: dict[str, object]
) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    response = await rig.http.post(rig.url + "/predict/qwen", json=body)
    assert response.status == 200
    assert stub.received[-1].path == path
    # `input` has become a message, and is not there a second time.
    assert json.loads(stub.received[-1].body) == {"model": "qwen", "max_tokens": 1, **sent}
    assert "choices" in await response.json()


async def test_predict_without_anything_is_400_and_of_nobody_404(rig: Rig) -> None:
    assert (await rig.http.post(rig.url + "/predict/qwen", json={})).status == 400
    assert (await rig.http.post(rig.url + "/predict/nobody", json={"prompt": "x"})).status == 404


async def test_models_lists_those_that_are_not_loaded_too(rig: Rig) -> None:
    await rig.become("other", state=ModelState.LOADING, reason="starting", load_s=12.0)
    await rig.become("broken", state=ModelState.REJECTED, reason="config.json is missing")
    listed = await (await rig.http.get(rig.url + "/v1/models")).json()
    assert [card["id"] for card in listed["data"]] == ["other", "qwen"]
    pages = await (await rig.http.get(rig.url + "/models")).json()
    assert [page["model"] for page in pages["models"]] == ["broken", "other", "qwen"]
    cards = {card["id"]: card for card in listed["data"]}
    assert listed["object"] == "list"
    assert cards["qwen"]["object"] == "model"
    assert cards["qwen"]["modelium"]["state"] == "unloaded"
    about = cards["other"]["modelium"]
    assert (about["state"], about["reason"], about["eta_s"]) == ("loading", "starting", 12)
    assert (about["task"], about["runtime"], about["context_length"]) == ("chat", "vllm", 4096)


async def test_a_path_that_the_client_encoded_is_the_same_path(rig: Rig) -> None:
    stub, url = await rig.engine()
    await rig.loaded(url)
    path = URL(f"{rig.url}/v1/chat%2Fcompletions?a=%2F", encoded=True)
    response = await rig.http.post(path, json={"model": "qwen", "messages": []})
    assert response.status == 200
    assert stub.received[-1].path == "/v1/chat/completions"


async def test_the_status_names_what_is_to_be_always_loaded_and_is_no_model() -> None:
    async with running_gateway(pinned={"qwen", "qwne"}) as rig:
        status = await (await rig.http.get(rig.url + "/status")).json()
        assert status["always_loaded_missing"] == ["qwne"]


async def test_pages_for_people(rig: Rig) -> None:
    assert (await (await rig.http.get(rig.url + "/health")).json()) == {"status": "ok"}
    status = await (await rig.http.get(rig.url + "/status")).json()
    assert status["models_by_state"] == {"unloaded": 1}
    assert status["agents"] == []
    models = await (await rig.http.get(rig.url + "/models")).json()
    assert models["models"][0]["model"] == "qwen"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await rig.http.get(rig.url + path)).status == 200


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/v1/chat/completions", "/v1/chat/completions is one"),
        ("/chat/completions", "/v1/chat/completions is one"),
        ("/nothing", "/docs lists"),
    ],
)
async def test_a_base_url_that_is_wrong_is_told_what_is_right(
    rig: Rig, path: str, said: str
) -> None:
    response = await rig.http.post(rig.url + path, json={"model": "qwen"})
    assert response.status == 404
    assert said in (await response.json())["error"]["message"]
