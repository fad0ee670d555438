"""A real vLLM behind the gateway: it stops when its client goes, and is passed on as it is."""

import asyncio
import json
import os
import re
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.clock import SystemClock
from modelium.common.settings import GIB
from tests.system import System, running, wait_until

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

SOON_S = 1.0
LONG: dict[str, Any] = {"ignore_eos": True, "max_tokens": 400, "n": 128, "temperature": 1.0}
"""Many seconds of work."""
SHORT: dict[str, Any] = {"max_tokens": 8, "temperature": 0, "seed": 1}
MESSAGES = [{"role": "user", "content": "one two three"}]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One loaded sample model."""
    folder = tmp_path_factory.mktemp("vllm-cancel")
    python = Path(os.environ["MODELIUM_VLLM_PYTHON"])
    with running(folder, engine_python=python, slot_bytes=4 * GIB) as started:
        write_sample_model(started.models / "qwen")
        wait_until("qwen is known", lambda: started.model("qwen"))
        started.post("/admin/models/qwen/load", {})
        started.wait_for_state("qwen", "loaded", 240)
        yield started


@pytest.fixture(scope="module")
def engine(system: System) -> str:
    """The engine's own address."""
    words = system.engines()[0].cmdline()
    return f"http://127.0.0.1:{words[words.index('--port') + 1]}"


@pytest.fixture
async def http(system: System) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(system.url) as session:
        yield session


def metric(engine: str, name: str) -> float:
    """The sum over all samples of a metric."""
    with urllib.request.urlopen(f"{engine}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))


def in_work(engine: str) -> float:
    return metric(engine, "vllm:num_requests_running") + metric(engine, "vllm:num_requests_waiting")


async def until_in_work(engine: str, *, works: bool, within_s: float) -> None:
    began_s = monotonic()
    while (await asyncio.to_thread(in_work, engine) > 0) != works:
        assert monotonic() - began_s < within_s, f"not within {within_s} s: working={works}"
        await SystemClock().sleep(0.02)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
async def test_the_engine_stops_within_a_second_of_its_clients_disconnect(
    engine: str, http: aiohttp.ClientSession, path: str, stream: bool
) -> None:
    before = metric(engine, "vllm:generation_tokens_total")
    body = {"model": "qwen", "prompt": "x", "messages": MESSAGES, "stream": stream, **LONG}
    del body["messages" if path == "/v1/completions" else "prompt"]
    post = asyncio.ensure_future(http.post(path, json=body))
    await until_in_work(engine, works=True, within_s=20)
    if stream:
        response = await post
        await response.content.readline()
        response.close()
    else:
        post.cancel()
    await until_in_work(engine, works=False, within_s=SOON_S)
    made = metric(engine, "vllm:generation_tokens_total") - before
    assert made < LONG["n"] * LONG["max_tokens"], "all of it was made: nothing was cancelled"


def asked(url: str, path: str, body: dict[str, Any]) -> bytes:
    """The answer, without what differs from one to the next: ids and times."""
    request = urllib.request.Request(
        url + path,
        json.dumps({"model": "qwen", **body}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    text = re.sub(rb'"(created|created_at|completed_at)":\d+(\.\d+)?', rb'"\1":0', text)
    return re.sub(rb'"(id|item_id|request_id)":"[^"]*"', rb'"\1":""', text)


TRIES = 5
CHAT = {"messages": MESSAGES, **SHORT}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
        ("/v1/chat/completions", {**CHAT, "stream": True, "stream_options": None}),
        ("/v1/chat/completions", {**CHAT, "stream": True, "logprobs": True, "top_logprobs": 2}),
        (
            "/v1/chat/completions",
            {**CHAT, "stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "stream": True, "stream_options": {"include_usage": False}},
        ),
        ("/v1/completions", {"prompt": "one two", **SHORT}),
        ("/v1/completions", {"prompt": "one two", **SHORT, "stream": True}),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 8, "temperature": 0}),
        ("/v1/messages", {"messages": MESSAGES, "max_tokens": 8, "temperature": 0, "stream": True}),
        ("/v1/responses", {"input": "one", "max_output_tokens": 8, "temperature": 0}),
        (
            "/v1/responses",
            {"input": "one", "max_output_tokens": 8, "temperature": 0, "stream": True},
        ),
        ("/tokenize", {"prompt": "one two"}),
    ],
)
def test_answers_are_those_of_the_engine(
    system: System, engine: str, path: str, body: dict[str, Any]
) -> None:
    # How many tokens share an event depends on how busy the machine is: any of a few will do.
    direct = {asked(engine, path, body) for _ in range(TRIES)}
    assert any(asked(system.url, path, body) in direct for _ in range(TRIES))
