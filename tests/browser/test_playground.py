"""Models tried in the page: each kind of panel, what it sends and what it shows."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from modelium.common.descriptor import RuntimeKind, Task, TensorSpec
from modelium.common.records import ModelState
from modelium.common.testing import a_descriptor
from tests.browser.pages import opened
from tests.integration.gateway_rig import Rig, running_gateway
from tests.stubs.engine_app import StubEngine

_CLIPBOARD = ["clipboard-read", "clipboard-write"]
_JSON = [(b"content-type", b"application/json")]
_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8"
    "cf500f0003860180cbd22a3e0000000049454e44ae426082"
)
"""A PNG of one pixel."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(page: Page, text: str) -> None:
    """Write a message and send it, by keyboard."""
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


async def test_a_chat_streams_and_can_be_stopped(browser: Browser) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page = tab.page
        stub, url = await rig.engine()
        await rig.loaded(url)
        await tab.go("/models/qwen")
        await page.get_by_text("Options", exact=True).click()
        await page.get_by_label("System prompt").fill("Be short.")
        await page.get_by_label("Most tokens of an answer").fill("5")
        await ask(page, "Hi")
        turns = page.get_by_role("list", name="Conversation").get_by_role("listitem")
        await expect(turns.nth(1)).to_contain_text("t0 t1 t2 t3 t4")
        await expect(turns.nth(1)).to_contain_text("5 tokens")
        sent = json.loads(stub.received[-1].body)
        assert [m["content"] for m in sent["messages"]] == ["Be short.", "Hi"]

        stub.behaviour.chunk_delay_s = 0.02
        await page.get_by_label("Most tokens of an answer").fill("100000")
        await ask(page, "Go on for ever")
        await expect(turns.nth(3)).to_contain_text("t3")
        await page.get_by_role("button", name="Stop", exact=True).click()
        await expect(turns.nth(3)).to_contain_text("stopped by you")
        await rig.until(lambda: stub.cancelled == 1 and stub.running == 0)
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_model_that_loads_shows_how_far_it_is_and_then_answers(browser: Browser) -> None:
    async with running_gateway(comment_every_s=0.2) as rig, opened(browser, rig.url, None) as tab:
        page = tab.page
        _, url = await rig.engine()
        await tab.go("/models/qwen")
        await ask(page, "Hi")
        await expect(
            page.get_by_text("The model is unloaded, place 1 in its queue")
        ).to_be_visible()
        await rig.become(state=ModelState.LOADING, generation=1)
        await expect(page.get_by_text("The model is loading")).to_be_visible()
        await rig.loaded(url)
        said = page.get_by_role("list", name="Conversation")
        await expect(said.get_by_text("t0 t1 t2")).to_be_visible()


async def test_a_question_whose_page_was_left_says_so_and_can_be_asked_again(
    browser: Browser,
) -> None:
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page = tab.page
        _, url = await rig.engine()
        await tab.go("/models/qwen")
        await ask(page, "Hi")
        await rig.until(lambda: rig.gateway.room.count("qwen") == 1)
        await page.get_by_role("link", name="Overview").click()
        await rig.until(lambda: rig.gateway.room.count("qwen") == 0)
        await page.get_by_role("link", name="Models").click()
        await page.get_by_role("link", name="qwen").click()
        await expect(page.get_by_text("There is no answer")).to_be_visible()
        await rig.loaded(url)
        await page.get_by_role("button", name="Ask again").click()
        said = page.get_by_role("list", name="Conversation")
        await expect(said.get_by_text("t0 t1 t2")).to_be_visible()
        await expect(page.get_by_text("There is no answer")).to_have_count(0)


async def test_a_refusal_is_told_and_may_be_tried_again_when_it_says_so(browser: Browser) -> None:
    async with (
        running_gateway(queue_timeout_seconds=0.2) as rig,
        opened(browser, rig.url, None) as tab,
    ):
        page = tab.page
        _, url = await rig.engine()
        await rig.become(descriptor=a_descriptor(task=Task.CLASSIFY), load_s=1.0)
        await tab.go("/models/qwen")
        await page.get_by_role("button", name="Classify", exact=True).click()
        refusal = page.get_by_role("alert")
        await expect(refusal).to_contain_text("The model 'qwen' is still unloaded")
        await expect(refusal).to_contain_text("HTTP 503")
        await expect(refusal).to_contain_text("model_loading")
        stub, url = await rig.engine()
        stub.replies["/classify"] = _reply(data=[{"index": 0, "label": "JOY", "probs": [0.9]}])
        await rig.loaded(url)
        # Disabled until the time that the refusal named has passed; the click waits for that.
        await refusal.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("cell", name="JOY")).to_be_visible()
        await expect(refusal).to_have_count(0)


def _reply(**value: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return 200, _JSON, json.dumps(value).encode()


@dataclass(frozen=True)
class Kind:
    """A panel: the model that has it, what its engine is asked, and what is shown of the answer."""

    task: Task
    path: str
    answer: dict[str, Any]
    button: str
    shows: str
    runtime: RuntimeKind = RuntimeKind.VLLM
    sends: str = ""
    file: FilePayload | None = None


_VECTORS = [
    {"index": at, "embedding": vector} for at, vector in enumerate(([1, 0], [0, 1], [1, 1]))
]
_RANKED = [{"index": 1, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.25}]
_SEEN = [{"label": "cat", "score": 0.5, "labels": [{"label": "cat", "score": 0.5}]}]
_OUT = [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [0.125, 0.875]}]
_PNG = FilePayload(name="dot.png", mimeType="image/png", buffer=_DOT)
_WAV = FilePayload(name="talk.wav", mimeType="audio/wav", buffer=b"RIFF")
KINDS = {
    "completion": Kind(
        Task.COMPLETION, "/v1/completions", {}, "Complete", "t0 t1", sends='"max_tokens": 128'
    ),
    "embeddings": Kind(Task.EMBEDDING, "/v1/embeddings", {"data": _VECTORS}, "Compare", "0.707"),
    "rerank": Kind(
        Task.RERANK, "/v1/rerank", {"results": _RANKED}, "Rank", "0.7500", sends='"documents"'
    ),
    "image": Kind(
        Task.VISION,
        "/predict",
        {"predictions": _SEEN},
        "Look",
        "cat",
        RuntimeKind.RAY_SERVE,
        file=_PNG,
    ),
    "tensors": Kind(
        Task.TENSOR,
        "/v2/models/tensors/infer",
        {"outputs": _OUT},
        "Infer",
        "0.125, 0.875",
        RuntimeKind.RAY_SERVE,
        sends='"shape": [1, 3, 8, 8]',
    ),
    "transcription": Kind(
        Task.TRANSCRIPTION,
        "/v1/audio/transcriptions",
        {"text": "well said"},
        "Transcribe",
        "well said",
        sends="RIFF",
        file=_WAV,
    ),
}


async def test_each_task_has_a_panel_that_fits(browser: Browser) -> None:
    """One walk: a browser for each would take longer than all of what is tested."""
    async with running_gateway() as rig, opened(browser, rig.url, None) as tab:
        page = tab.page
        for name, kind in KINDS.items():
            stub, url = await rig.engine(model=name)
            if kind.answer:
                stub.replies[kind.path] = _reply(**kind.answer)
            await _serve(rig, name, kind, url)
            await tab.go(f"/models/{name}")
            if kind.file is not None:
                await page.locator("input[type=file]").set_input_files(kind.file)
            await page.get_by_role("button", name=kind.button, exact=True).click()
            panel = page.get_by_role("tabpanel")
            await expect(panel.get_by_text(kind.shows).first).to_be_visible()
            assert kind.sends in _body(stub, kind.path), name


async def _serve(rig: Rig, name: str, kind: Kind, url: str) -> None:
    about = a_descriptor(
        task=kind.task,
        runtime=kind.runtime,
        has_chat_template=False,
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 3, 8, 8)),),
    )
    await rig.become(name, descriptor=about, path=f"/models/{name}")
    await rig.loaded(url, name)


def _body(stub: StubEngine, path: str) -> str:
    """Of the only request to the route, with JSON spaced as Python does."""
    (body,) = [r.body for r in stub.received if r.path == path]
    try:
        return json.dumps(json.loads(body))
    except ValueError:
        return body.decode("latin-1")


_TEXT = 'It\'s "you" & $HOME\nand true?'


async def test_a_request_as_curl_and_python_does_the_same_without_the_key(
    browser: Browser, tmp_path: Path
) -> None:
    async with running_gateway(authentication="keys") as rig:
        stub, url = await rig.engine()
        await rig.loaded(url)
        key = await rig.key(name="mine")
        async with opened(browser, rig.url, "/models/qwen", permissions=_CLIPBOARD) as tab:
            await tab.sign_in(key)
            await tab.page.get_by_label("Message").fill(_TEXT)
            for language in ("curl", "Python"):
                assert "t0" in await _as_code(tab.page, language, key, tmp_path)
                sent = json.loads(stub.received[-1].body)
                assert sent["messages"] == [{"role": "user", "content": _TEXT}]

            stub.replies["/predict"] = _reply(predictions=_SEEN)
            await _serve(rig, "eyes", KINDS["image"], url)
            await tab.go("/models/eyes")
            (tmp_path / "dot.png").write_bytes(_DOT)
            await tab.page.locator("input[type=file]").set_input_files(tmp_path / "dot.png")
            for language in ("curl", "Python"):
                assert "cat" in await _as_code(tab.page, language, key, tmp_path)
                assert stub.received[-1].body == _DOT


async def test_after_an_answer_the_copied_code_asks_the_same_again(
    browser: Browser, tmp_path: Path
) -> None:
    async with running_gateway() as rig:
        stub, url = await rig.engine()
        await rig.loaded(url)
        nobody = {"authorization": "Bearer not-needed"}
        async with opened(browser, rig.url, "/models/qwen", permissions=_CLIPBOARD) as tab:
            await ask(tab.page, "Hi")
            await expect(tab.page.get_by_text("first after")).to_be_visible()
            for language in ("curl", "Python"):
                assert "t0" in await _as_code(tab.page, language, nobody, tmp_path)
                sent = json.loads(stub.received[-1].body)
                assert sent["messages"] == [{"role": "user", "content": "Hi"}]


_RUN = {"curl": ["bash", "-c"], "Python": [sys.executable, "-c"]}


async def _as_code(page: Page, language: str, key: dict[str, str], at: Path) -> str:
    """What the copied code says, run in this folder."""
    if not await page.get_by_role("button", name="Python", exact=True).is_visible():
        await page.get_by_text("The same as curl").click()
    await page.get_by_role("button", name=language, exact=True).click()
    await page.get_by_role("button", name=f"Copy as {language}").click()
    code = await page.evaluate("navigator.clipboard.readText()")
    text = key["authorization"].removeprefix("Bearer ")
    assert text not in code
    process = await asyncio.create_subprocess_exec(
        *_RUN[language],
        code,
        cwd=at,
        env={**os.environ, "MODELIUM_API_KEY": text},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    return told.decode()
