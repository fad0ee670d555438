"""In which form engines are asked."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from modelium.common.descriptor import Task
from modelium.common.records import DeviceKind
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import record_of
from modelium.runtime_agent.runtimes.vllm_canary import canary
from tests.agent_kit import a_load


async def _say_what_came(request: web.Request) -> web.Response:
    if request.content_type == "application/json":
        return web.json_response(await request.json())
    form = await request.post()
    sizes = {name: len(v.file.read()) for name, v in form.items() if isinstance(v, web.FileField)}
    words = {name: value for name, value in form.items() if isinstance(value, str)}
    return web.json_response({**words, **sizes})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/{path:.*}", _say_what_came)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize(
    ("task", "heard"),
    [
        (Task.EMBEDDING, {"model": "qwen", "input": "1"}),
        (Task.TRANSCRIPTION, {"model": "qwen", "file": 44 + 2 * 16_000}),
    ],
)
async def test_a_sound_goes_as_a_file_of_a_form_and_all_else_as_json(
    url: str, task: Task, heard: dict[str, str | int], tmp_path: Path
) -> None:
    load = a_load(tmp_path, descriptor=a_descriptor(task=task))
    path, body = canary(record_of(load, DeviceKind.CPU))
    http = EngineHttp()
    try:
        answer = await http.ask("POST", url + path.lstrip("/"), timeout_s=10, body=body)
    finally:
        await http.close()
    assert json.loads(answer.body) == heard
