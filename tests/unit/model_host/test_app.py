"""The routes, with a model of numpy instead of a library."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np
import pytest

from modelium.model_host.errors import CannotLoad, TooLarge
from modelium.model_host.http.app import build
from modelium.model_host.options import Options
from modelium.model_host.protocol.signature import Signature
from modelium.model_host.protocol.tensors import Tensors, TensorSpec
from modelium.model_host.serving import Serving
from tests.host_kit import tensor
from tests.http_rig import serving

T = TypeVar("T")
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
        self.may_run.wait(10)
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


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with a_rig() as found:
        yield found


async def test_it_is_ready_only_between_its_load_and_its_end() -> None:
    async with a_rig(load=False) as rig:
        assert await rig.ask("GET", "/health") == (503, {"error": "model 'm' is loading"})
        assert (await rig.ask("GET", "/v2/health/live"))[0] == 200
        assert (await rig.infer(tensor("x", X)))[0] == 503
        await asyncio.to_thread(rig.serving.load)
        for path in ("/health", "/v2/health/ready", "/v2/models/m/ready"):
            assert (await rig.ask("GET", path))[0] == 200
        rig.serving.drain()
        assert await rig.ask("GET", "/health") == (503, {"error": "model 'm' is draining"})
        assert (await rig.infer(tensor("x", X)))[0] == 200


async def test_a_model_that_cannot_be_loaded_says_why() -> None:
    def fails(_: Options) -> Any:
        raise ImportError("no such library\nmore")

    held = Serving(Options(name="m", path=Path("m"), format="onnx", task="tensor"), fails)
    with pytest.raises(CannotLoad, match=r"^ImportError: no such library$"):
        await asyncio.to_thread(held.load)


async def test_the_metadata_is_the_signature(rig: Rig) -> None:
    status, found = await rig.ask("GET", "/v2/models/m/versions/1")
    assert status == 200
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert found["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}]
    assert found["platform"] == "numpy_plain"
    assert (await rig.ask("GET", "/v2"))[1]["version"] == f"numpy-{np.__version__}"


async def test_tensors_go_in_and_come_out(rig: Rig) -> None:
    status, found = await rig.infer(tensor("x", X))
    assert status == 200
    assert found["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2, 3]}]
    assert (await rig.ask("POST", "/predict", json={"inputs": {"x": [[1, 2]]}}))[1] == found


async def test_it_answers_to_its_further_names_and_calls_itself_by_the_first() -> None:
    async with a_rig(aliases=("best", "m-1")) as rig:
        for name in ("m", "best", "m-1"):
            status, found = await rig.ask("GET", f"/v2/models/{name}")
            assert (status, found["name"]) == (200, "m")
        assert (await rig.ask("GET", "/v2/models/other"))[0] == 404


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v2/models/other", "model 'other' is not served here; 'm' is"),
        ("/v2/models/m/versions/2", "version '2' is not served here; '1' is"),
        ("/nothing", "GET /nothing: Not Found"),
    ],
)
async def test_what_is_not_there_is_404_in_the_protocols_form(
    rig: Rig, path: str, says: str
) -> None:
    assert await rig.ask("GET", path) == (404, {"error": says})


async def test_a_route_for_another_task_answers_in_its_clients_form(rig: Rig) -> None:
    status, found = await rig.ask("POST", "/v1/embeddings", json={"input": "a"})
    assert status == 404
    assert found["error"]["message"] == (
        "/v1/embeddings is for models for embedding; 'm' is one for tensor"
    )


async def test_a_failure_of_the_model_is_500_and_the_next_request_is_served(rig: Rig) -> None:
    status, found = await rig.infer(tensor("x", np.float32([[13, 0]])))
    assert (status, found) == (500, {"error": "the model failed: RuntimeError: thirteen"})
    assert (await rig.infer(tensor("x", X)))[0] == 200


async def test_a_body_beyond_the_limit_is_413_whether_its_length_is_said_or_not() -> None:
    async with a_rig(max_body_bytes=100) as rig:
        status, found = await rig.infer(tensor("x", np.zeros((50, 2), "f4")))
        assert status == 413
        assert "at most 100 are taken" in found["error"]

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield bytes(10)

        status, found = await rig.ask("POST", "/v2/models/m/infer", data=pieces())
        assert status == 413
        assert rig.model.runs == 0


@pytest.mark.parametrize("top_k", ["²", "9" * 5000, "0", "-1", "many"])
async def test_a_forms_top_k_that_is_no_number_is_400(top_k: str) -> None:
    async with a_rig(task="vision") as rig:
        form = aiohttp.FormData({"top_k": top_k})
        form.add_field("image", b"x", filename="a.png", content_type="image/png")
        status, found = await rig.ask("POST", "/predict", data=form)
        assert status == 400
        assert found["error"].endswith("; a whole number of 1 or more is expected")
        assert len(found["error"]) < 100


async def test_a_request_that_the_model_does_not_admit_never_waits() -> None:
    def admit(inputs: Tensors) -> Tensors:
        if len(inputs["x"]) > 1:
            raise TooLarge("one row, please")
        return {"x": inputs["x"] + 1}

    async with a_rig() as rig:
        rig.model.admit = admit
        status, found = await rig.infer(tensor("x", np.zeros((2, 2), "f4")))
        assert (status, found) == (413, {"error": "one row, please"})
        assert rig.model.runs == 0
        assert (await rig.infer(tensor("x", X)))[1]["outputs"][0]["data"] == [3, 4]


async def test_bodies_that_requests_hold_are_bounded_together_and_given_back() -> None:
    """The queue was bounded by its count alone: 256 times the largest body."""
    large = {"inputs": [tensor("x", np.ones((20, 2), "f4"))]}
    size = len(json.dumps(large))
    async with a_rig(max_body_bytes=size, max_held_bytes=2 * size) as rig:
        rig.model.may_run.clear()
        asked = [asyncio.create_task(rig.infer(*large["inputs"])) for _ in range(2)]
        await rig_waits(rig, 1)
        status, found = await rig.infer(*large["inputs"])
        assert (status, "bytes already" in found["error"]) == (503, True)
        rig.model.may_run.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]
        assert (await rig.infer(*large["inputs"]))[0] == 200


class Noting(Serving):
    """Notes of all that is read and written whether the loop's thread did it."""

    loop: int
    by_loop: list[bool]

    async def aside(self, size: int, work: Callable[[], T]) -> T:
        def noted() -> T:
            self.by_loop.append(threading.get_ident() == self.loop)
            return work()

        return await super().aside(size, noted)


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/predict"])
async def test_large_bodies_are_read_and_written_aside(path: str) -> None:
    """They stopped the loop, and with it the answers to those who ask for health."""
    rows = 20_000
    async with a_rig(Noting, max_rows=rows, max_batch=rows) as rig:
        assert isinstance(rig.serving, Noting)
        rig.serving.loop = threading.get_ident()
        for count, by_loop in ((1, True), (rows, False)):
            rig.serving.by_loop = []
            asked = {"inputs": [tensor("x", np.ones((count, 2), "f4"))]}
            status, found = await rig.ask("POST", path, json=asked)
            assert status == 200, found
            assert len(found["outputs"][0]["data"]) == 2 * count
            assert set(rig.serving.by_loop) == {by_loop}


async def test_a_body_that_is_compressed_is_415(rig: Rig) -> None:
    headers = {"content-encoding": "gzip"}
    status, found = await rig.ask("POST", "/predict", json={}, headers=headers)
    assert (status, found) == (
        415,
        {"error": "bodies with content-encoding 'gzip' are not read"},
    )


async def test_a_caller_that_leaves_takes_its_request_out_of_the_queue(rig: Rig) -> None:
    rig.model.may_run.clear()
    first = asyncio.create_task(rig.infer(tensor("x", X)))
    await asyncio.to_thread(rig.model.began.wait, 10)
    leaving = asyncio.create_task(rig.infer(tensor("x", X)))
    await rig_waits(rig, 1)
    leaving.cancel()
    await rig_waits(rig, 0)
    rig.model.may_run.set()
    assert (await first)[0] == 200
    assert rig.model.runs == 1


async def rig_waits(rig: Rig, count: int) -> None:
    async with asyncio.timeout(10):
        while rig.serving.waiting() != count:
            await rig.ask("GET", "/v2/health/live")


async def test_more_than_may_wait_are_503_and_say_when_to_try_again() -> None:
    async with a_rig(max_queue=1) as rig:
        rig.model.may_run.clear()
        asked = [asyncio.create_task(rig.infer(tensor("x", X)))]
        await asyncio.to_thread(rig.model.began.wait, 10)
        asked.append(asyncio.create_task(rig.infer(tensor("x", X))))
        await rig_waits(rig, 1)
        async with rig.client.post(
            f"{rig.url}/v2/models/m/infer", json={"inputs": [tensor("x", X)]}
        ) as refused:
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
        rig.model.may_run.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]


async def test_figures_count_requests_and_runs(rig: Rig) -> None:
    await rig.infer(tensor("x", X))
    await rig.infer(tensor("q", X))
    await rig.ask("GET", "/health")
    async with rig.client.get(f"{rig.url}/metrics") as response:
        text = await response.text()
    route = 'model="m",route="/v2/models/{model}/infer"'
    assert f'modelium_host_requests_total{{code="200",{route}}} 1.0' in text
    assert f'modelium_host_requests_total{{code="400",{route}}} 1.0' in text
    assert 'modelium_host_batch_rows_count{model="m"} 1.0' in text
    assert "/health" not in text


async def test_figures_tell_requests_that_run_from_those_that_wait(rig: Rig) -> None:
    rig.model.may_run.clear()
    asked = [asyncio.create_task(rig.infer(tensor("x", X)))]
    await asyncio.to_thread(rig.model.began.wait, 10)
    asked += [asyncio.create_task(rig.infer(tensor("x", X))) for _ in range(2)]
    await rig_waits(rig, 2)
    assert await figures(rig) == {"running": 1.0, "waiting": 2.0}
    rig.model.may_run.set()
    await asyncio.gather(*asked)
    assert await figures(rig) == {"running": 0.0, "waiting": 0.0}


async def figures(rig: Rig) -> dict[str, float]:
    async with rig.client.get(f"{rig.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    begin = "modelium_host_requests_"
    found = [line.removeprefix(begin).split() for line in lines if line.startswith(begin)]
    return {n.partition("{")[0]: float(v) for n, v in found if n.startswith(("running", "waiting"))}
