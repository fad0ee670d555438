"""Every command of docs/api.md answers with the status that the page says."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.settings import Gateway
from modelium.common.testing import a_descriptor
from modelium.gateway.edge.paths import INFER, PREDICT, RULES
from tests.integration.gateway_rig import Rig, running_gateway

SHORT_WAITS = {name: 0.1 for name in Gateway.model_fields if "queue_timeout" in name}
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
COMMANDS = re.findall(r"^(curl .+?)\s+# (\d{3})$", PAGE, re.MULTILINE)
HOSTED = ("/v2/models/tensors/infer", "/predict")
MODELS = {
    "qwen": a_descriptor(),
    "embedder": a_descriptor(task=Task.EMBEDDING),
    "reranker": a_descriptor(task=Task.RERANK),
    "whisper": a_descriptor(task=Task.TRANSCRIPTION),
    "tensors": a_descriptor(task=Task.TENSOR, runtime=RuntimeKind.RAY_SERVE),
    "eyes": a_descriptor(task=Task.VISION, runtime=RuntimeKind.RAY_SERVE),
}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with running_gateway(**SHORT_WAITS) as rig:
        for model, about in MODELS.items():
            stub, url = await rig.engine(model=model)
            for path in ("/v1/rerank", "/v1/audio/transcriptions", *HOSTED):
                stub.replies[path] = (200, [], b"{}")
            await rig.loaded(url, model)
            await rig.become(model, descriptor=about)
        await rig.become("cold")
        yield rig


async def status_of(command: str, rig: Rig, folder: Path) -> str:
    words = shlex.split(command.replace("http://127.0.0.1:8000", rig.url))
    more = ("--silent", "--output", str(folder / "answer"), "--write-out", "%{http_code}")
    curl = await asyncio.create_subprocess_exec(
        *words, *more, cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await curl.communicate()
    return said.decode()


async def test_every_command_answers_as_the_page_says(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "speech.wav").write_bytes(b"RIFF")
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert len(COMMANDS) == PAGE.count("\ncurl ")
    for command, status in COMMANDS:
        assert await status_of(command, rig, tmp_path) == status, command


def test_every_route_is_on_the_page() -> None:
    missing = [path for path in (*RULES, INFER.path, PREDICT) if f"{path}`" not in PAGE]
    assert not missing
