"""The routes, with a model of numpy instead of a library."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelium.model_host.errors import CannotLoad, TooLarge
from modelium.model_host.options import Options
from modelium.model_host.protocol.tensors import Tensors
from modelium.model_host.serving import Serving
from tests.host_kit import tensor
from tests.unit.model_host.app_rig import Rig, X, a_rig, rig_waits


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


async def test_a_caller_that_leaves_takes_its_request_out_of_the_queue(rig: Rig) -> None:
    rig.model.may_run.clear()
    first = asyncio.create_task(rig.infer(tensor("x", X)))
    await asyncio.to_thread(rig.model.began.wait, 60)
    leaving = asyncio.create_task(rig.infer(tensor("x", X)))
    await rig_waits(rig, 1)
    leaving.cancel()
    await rig_waits(rig, 0)
    rig.model.may_run.set()
    assert (await first)[0] == 200
    assert rig.model.runs == 1


async def test_more_than_may_wait_are_503_and_say_when_to_try_again() -> None:
    async with a_rig(max_queue=1) as rig:
        rig.model.may_run.clear()
        asked = [asyncio.create_task(rig.infer(tensor("x", X)))]
        await asyncio.to_thread(rig.model.began.wait, 60)
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
    await asyncio.to_thread(rig.model.began.wait, 60)
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
