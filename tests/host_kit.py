"""Model hosts as processes of the engine's interpreter, and models for them."""

import asyncio
import base64
import os
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from numpy.typing import NDArray

from tests.house import HOMES, HOST

FOLDER = HOMES[HOST].parents[1]
MAKER = Path(__file__).parent / "stubs" / "host_models.py"
START_S = 120.0
SMALL = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]}'
Array = NDArray[Any]


def engine_python() -> Path:
    """The interpreter with torch, ONNX Runtime, transformers and Ray."""
    named = os.environ.get("MODELIUM_VLLM_PYTHON")
    if not named:
        pytest.skip("MODELIUM_VLLM_PYTHON names no interpreter with the engine's libraries")
    return Path(named)


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(FOLDER), "HF_HUB_OFFLINE": "1"}


def make_models(folder: Path) -> None:
    """Those of `stubs/host_models.py`."""
    command = [str(engine_python()), str(MAKER), str(folder)]
    subprocess.run(command, check=True, env=environment(), capture_output=True)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    json: Any = None


@dataclass
class Host:
    """A host that runs."""

    process: asyncio.subprocess.Process
    port: int
    log: Path
    client: aiohttp.ClientSession
    name: str = "m"
    ended: list[int] = field(default_factory=list)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(method, url, **more) as response:
            body = await response.read()
            is_json = response.content_type == "application/json"
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(
                response.status, headers, body, await response.json() if is_json else None
            )

    async def infer(self, *inputs: dict[str, Any], **more: Any) -> Answer:
        path = f"/v2/models/{self.name}/infer"
        return await self.ask("POST", path, json={"inputs": inputs, **more})

    async def is_ready(self) -> bool:
        return await self.status() == 200

    async def status(self) -> int | None:
        """Of its health; None: it does not answer."""
        try:
            return (await self.ask("GET", "/health")).status
        except aiohttp.ClientError:
            return None

    async def figure(self, name: str) -> float:
        """The sum of a metric's samples with exactly this name."""
        text = (await self.ask("GET", "/metrics")).body.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return sum(float(value) for key, _, value in lines if key.partition("{")[0] == name)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@asynccontextmanager
async def a_host(
    path: Path, format_: str, task: str = "tensor", *, ready: bool = True, **options: Any
) -> AsyncIterator[Host]:
    """A host of this model, once it is ready; what still runs at the end is killed."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    given = {"name": "m", "path": path, "format": format_, "task": task, "port": port, "threads": 1}
    given |= options
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    log = path.with_name(f"{path.name}-{port}.log")
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            engine_python(),
            *("-m", "modelium.model_host", *arguments),
            stdout=file,
            stderr=file,
            env=environment(),
            start_new_session=True,
        )
    async with aiohttp.ClientSession() as client:
        host = Host(process, port, log, client, name=str(given["name"]))
        try:
            if ready:
                await until_ready(host)
            yield host
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def until_ready(host: Host) -> None:
    async with asyncio.timeout(START_S):
        while not await host.is_ready():
            assert host.process.returncode is None, host.log.read_text()
            ending = asyncio.ensure_future(host.process.wait())
            await asyncio.wait([ending], timeout=0.1)
            ending.cancel()


def tensor(name: str, array: Array, datatype: str = "FP32") -> dict[str, Any]:
    """A tensor in JSON."""
    data = array.ravel().tolist()
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": data}


def bytes_tensor(name: str, values: Iterable[bytes | str]) -> dict[str, Any]:
    """Texts as they are, bytes as base64."""
    data = [v if isinstance(v, str) else base64.b64encode(v).decode() for v in values]
    return {"name": name, "shape": [len(data)], "datatype": "BYTES", "data": data}


def last_line(host: Host) -> str:
    return host.log.read_text().splitlines()[-1]


def packed(values: Iterable[bytes]) -> bytes:
    """BYTES as binary data."""
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


async def until_running(host: Host) -> None:
    """Until the model runs a request."""
    async with asyncio.timeout(START_S):
        while await host.figure("modelium_host_requests_running") < 1:
            pass


def session_of(pid: int) -> int | None:
    """None: it has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
