"""The application on a port, with a model of numpy instead of a library."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from modelium.model_host.http.app import build
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Tensors, TensorSpec
from modelium.model_host.serving import Serving
from tests.http_rig import serving

X = np.float32([[1, 2]])
ROWS = Signature((TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1, 2)),))


@dataclass
class Plain:
    """Adds one, once it may."""

    signature: Signature = ROWS
    platform: str = "numpy_plain"
    sample: Tensors | None = None
    admit: Callable[[Tensors], Tensors] | None = None
    may_run: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def run(self, inputs: Tensors) -> Tensors:
        self.runs += 1
        self.began.set()
        self.may_run.wait(60)
        if (inputs["x"] == 13).any():
            raise RuntimeError("thirteen")
        return {"y": inputs["x"] + 1}


@dataclass
class Rig:
    """The application on a port."""

    url: str
    client: aiohttp.ClientSession
    serving: Serving
    model: Plain

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self.client.request(method, self.url + path, **more) as response:
            return response.status, await response.json(content_type=None)

    async def infer(self, *inputs: dict[str, Any]) -> tuple[int, Any]:
        return await self.ask("POST", "/v2/models/m/infer", json={"inputs": inputs})


@asynccontextmanager
async def a_rig(
    kind: type[Serving] = Serving, *, load: bool = True, **options: Any
) -> AsyncIterator[Rig]:
    model = Plain()
    model.may_run.set()
    given = {"path": Path("m.pt"), "format": "torchscript", "task": "tensor"} | options
    chosen = Options(name="m", **given)
    held = kind(chosen, lambda _: model)
    if load:
        await asyncio.to_thread(held.load)
        model.runs = 0
    async with serving(build(held)) as port, aiohttp.ClientSession() as client:
        yield Rig(f"http://127.0.0.1:{port}", client, held, model)
        model.may_run.set()


async def rig_waits(rig: Rig, count: int) -> None:
    async with asyncio.timeout(10):
        while rig.serving.waiting() != count:
            await rig.ask("GET", "/v2/health/live")
