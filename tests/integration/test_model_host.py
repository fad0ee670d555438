"""The model host with real models: what it answers is what they answer when run directly."""

import asyncio
import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.host_kit import (
    SMALL,
    Answer,
    Array,
    Host,
    a_host,
    bytes_tensor,
    last_line,
    make_models,
    session_of,
    tensor,
    until_running,
)

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
TEXTS = ["a good model", "a very very bad model is a text", "is"]
CALLERS = 16


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models")
    make_models(folder)
    write_onnx(folder)
    return folder


def write_onnx(folder: Path) -> None:
    """`small.onnx`: x @ w, with a free first dimension and its weights in a file beside it."""
    weights = np.random.default_rng(0).standard_normal((4, 3)).astype("f4")
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in (("x", 4), ("y", 3))
    )
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([product], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    options = {"save_as_external_data": True, "location": "small.weights", "size_threshold": 0}
    onnx.save(model, folder / "small.onnx", **options)
    np.save(folder / "small.npy", weights)


def expected(models: Path) -> tuple[Array, Array]:
    with np.load(models / "small.npz") as found:
        return found["x"], found["y"]


def output(answer: Answer, at: int = 0) -> Array:
    assert answer.status == 200, answer.body
    given = answer.json["outputs"][at]
    return np.array(given["data"], "f4").reshape(given["shape"])


async def binary(host: Host, x: Array) -> Array:
    """As a caller asks that sends and wants binary data."""
    spec = {"name": "x", "datatype": "FP32", "shape": list(x.shape)}
    spec["parameters"] = {"binary_data_size": x.nbytes}
    head = json.dumps({"inputs": [spec], "parameters": {"binary_data_output": True}}).encode()
    answer = await host.ask(
        "POST",
        "/v2/models/m/infer",
        data=head + x.tobytes(),
        headers={"inference-header-content-length": str(len(head))},
    )
    assert answer.status == 200, answer.body
    end = int(answer.headers["inference-header-content-length"])
    [given] = json.loads(answer.body[:end])["outputs"]
    return np.frombuffer(answer.body[end:], "<f4").reshape(given["shape"])


async def test_torchscript_is_served_as_it_runs_directly(models: Path) -> None:
    x, y = expected(models)
    async with a_host(models / "small.pt", "torchscript", signature=SMALL) as host:
        found = await host.infer(tensor("x", x))
        assert np.array_equal(output(found), y)
        assert np.array_equal(await binary(host, x), y)
        wrong = await host.infer(tensor("x", x[:, :3]))
        assert (wrong.status, wrong.json) == (
            400,
            {"error": "input 'x': shape [5, 3], expected [-1, 4]"},
        )
        await callers_get_their_own(host, x, y)
        assert await host.figure("modelium_host_batch_requests_count") < 3 + 2 * CALLERS
        host.terminate()
        assert await host.process.wait() == 0


async def callers_get_their_own(host: Host, x: Array, y: Array) -> None:
    """Each asks twice, with a row of its own; together they are more than one run takes."""

    async def caller(at: int) -> None:
        row = at % len(x)
        for _ in range(2):
            found = output(await host.infer(tensor("x", x[row : row + 1])))
            assert np.allclose(found, y[row : row + 1], rtol=1e-5, atol=1e-6)

    async with asyncio.TaskGroup() as group:
        for at in range(CALLERS):
            group.create_task(caller(at))


async def test_without_a_signature_any_tensor_is_tried_and_runs_are_not_shared(
    models: Path,
) -> None:
    x, y = expected(models)
    async with a_host(models / "small.pt", "torchscript") as host:
        assert np.array_equal(output(await host.infer(tensor("x", x))), y)
        refused = await host.infer(tensor("x", x[:, :3]))
        assert refused.status == 400
        assert "shapes cannot be multiplied (5x3 and 4x8)" in refused.json["error"]
        await callers_get_their_own(host, x, y)
        assert await host.figure("modelium_host_batch_requests_count") == 2 + 2 * CALLERS


async def test_a_program_is_served_with_the_signature_it_was_exported_with(models: Path) -> None:
    x, y = expected(models)
    async with (
        a_host(models / "free.pt2", "pt2") as free,
        a_host(models / "fixed.pt2", "pt2") as fixed,
    ):
        assert np.array_equal(output(await free.infer(tensor("x", x))), y)
        await callers_get_their_own(free, x, y)
        found = (await fixed.ask("GET", "/v2/models/m")).json
        assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [5, 4]}]
        assert np.array_equal(output(await fixed.infer(tensor("x", x))), y)
        asked = [fixed.infer(tensor("x", x)) for _ in range(CALLERS)]
        assert all(np.array_equal(output(a), y) for a in await asyncio.gather(*asked))
        assert await fixed.figure("modelium_host_batch_requests_count") == 1 + CALLERS
        assert (await fixed.infer(tensor("x", x[:2]))).status == 400


async def test_onnx_is_served_with_its_own_signature(models: Path) -> None:
    x = np.random.default_rng(1).standard_normal((5, 4)).astype("f4")
    y = x @ np.load(models / "small.npy")
    async with a_host(models / "small.onnx", "onnx") as host:
        found = (await host.ask("GET", "/v2/models/m")).json
        assert found["platform"] == "onnxruntime_onnx"
        assert found["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]
        assert np.allclose(output(await host.infer(tensor("x", x))), y, rtol=1e-5, atol=1e-6)
        assert np.allclose(await binary(host, x), y, rtol=1e-5, atol=1e-6)
        await callers_get_their_own(host, x, y)


async def test_an_image_is_classified_as_by_transformers_however_it_is_sent(models: Path) -> None:
    file = (models / "picture.png").read_bytes()
    scores = {
        one["label"]: one["score"] for one in json.loads((models / "vision.json").read_text())
    }
    async with a_host(models / "vision", "huggingface", "vision") as host:
        form = aiohttp.FormData()
        form.add_field("anything", file, filename="a.png", content_type="image/png")
        sent: list[dict[str, Any]] = [
            {"json": {"image": base64.b64encode(file).decode()}},
            {"data": file, "headers": {"content-type": "image/png"}},
            {"data": form},
        ]
        for more in sent:
            [found] = (await host.ask("POST", "/predict", **more)).json["predictions"]
            assert {one["label"]: one["score"] for one in found["labels"]} == pytest.approx(
                scores, abs=1e-5
            )
            assert found["label"] == max(scores, key=lambda label: scores[label])
        answers = await asyncio.gather(
            host.infer(bytes_tensor("image", [file, file])),
            host.infer(bytes_tensor("image", [b"no image"])),
            host.infer(bytes_tensor("image", [])),
            host.infer(bytes_tensor("image", [(models / "huge.png").read_bytes()])),
            host.infer(bytes_tensor("image", [(models / "large.png").read_bytes()] * 5)),
        )
        assert [answer.status for answer in answers] == [200, 400, 400, 413, 413]
        assert output(answers[0], 1).tolist() == pytest.approx(
            np.tile([scores[label] for label in ("cat", "dog", "owl")], (2, 1)), abs=1e-5
        )
        assert "9000x9000 pixels" in answers[3].json["error"]
        assert "this request have 245000000 pixels; at most 2" in answers[4].json["error"]
        runs = await host.figure("modelium_host_batch_requests_count")
        many = (await host.infer(bytes_tensor("image", [file] * 40))).json["outputs"][1]["data"]
        assert many == pytest.approx(output(answers[0], 1)[0].tolist() * 40, abs=1e-5)
        assert await host.figure("modelium_host_batch_requests_count") == runs + 2


async def test_texts_are_classified_and_embedded_as_by_transformers(models: Path) -> None:
    scores = [
        {one["label"]: one["score"] for one in text}
        for text in json.loads((models / "classify.json").read_text())
    ]
    async with (
        a_host(models / "classify", "huggingface", "classify") as classifier,
        a_host(models / "embed", "huggingface", "embedding") as embedder,
    ):
        found = (await classifier.ask("POST", "/classify", json={"input": TEXTS})).json
        for text, one in zip(scores, found["data"], strict=True):
            assert one["probs"] == pytest.approx([text["no"], text["yes"]], abs=1e-5)
        texts = ["is", "is " * 40, "good", "is " * 1000]
        asked = [classifier.ask("POST", "/predict", json={"input": text}) for text in texts]
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200, 400, 200, 400]
        assert "40 tokens, this model takes 16 at most" in answers[1].json["error"]
        assert "a text of 3000 bytes, at most 1024 are taken" in answers[3].json["error"]
        assert (await classifier.infer(bytes_tensor("text", []))).status == 400
        answer = await embedder.ask("POST", "/v1/embeddings", json={"input": TEXTS, "model": "m"})
        vectors = [one["embedding"] for one in answer.json["data"]]
        assert np.allclose(vectors, np.load(models / "embed.npy"), rtol=1e-5, atol=1e-5)
        assert answer.json["usage"] == {"prompt_tokens": 12, "total_tokens": 12}


async def test_what_cannot_be_served_ends_with_1_and_the_reason_on_the_last_line(
    models: Path,
) -> None:
    async def ends(file: str, format_: str, task: str, says: str, **options: Any) -> None:
        async with a_host(models / file, format_, task, ready=False, **options) as host:
            assert await host.process.wait() == 1
            assert says in last_line(host)

    no_archive = "cannot serve 'm': no TorchScript archive that torch can read"
    missing = "weights are missing: classifier.bias"
    async with asyncio.TaskGroup() as group:
        for case in (
            ends("pickled.pt", "torchscript", "tensor", no_archive),
            ends("pickled.pt", "torchscript", "tensor", no_archive, mode="ray"),
            ends("headless", "huggingface", "classify", missing),
            ends("picture.png", "onnx", "tensor", "cannot serve 'm': "),
            ends("nothing.pt", "torchscript", "tensor", "nothing.pt does not exist"),
        ):
            group.create_task(case)


async def test_a_request_under_way_ends_before_the_host_does(models: Path) -> None:
    x = np.float32([20])
    async with a_host(models / "slow.pt", "torchscript") as host:
        asked = asyncio.create_task(host.infer(tensor("x", x)))
        await until_running(host)
        host.terminate()
        assert output(await asked).tolist() == [20]
        assert await host.process.wait() == 0


async def test_a_request_that_outlasts_the_drain_is_cut_off_and_that_is_said(models: Path) -> None:
    async with a_host(models / "slow.pt", "torchscript", drain_seconds=1) as host:
        asked = asyncio.create_task(host.infer(tensor("x", np.float32([100_000]))))
        await until_running(host)
        host.terminate()
        assert await host.process.wait() == 1
        assert last_line(host) == "1 requests were cut off after 1 s"
        [ended] = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(ended, aiohttp.ClientError) or ended.status >= 500


async def test_a_host_that_still_loads_ends_at_once(models: Path) -> None:
    async with a_host(models / "vision", "huggingface", "vision", ready=False) as host:
        async with asyncio.timeout(60):
            while await host.status() is None:
                pass
        assert await host.status() == 503
        host.terminate()
        assert await host.process.wait() == 0
        assert "loaded" not in host.log.read_text()


@pytest.mark.timeout(600)
async def test_on_ray_it_answers_the_same_bounds_its_queue_and_ends_in_order(
    models: Path,
) -> None:
    one = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}]}'
    options = {"mode": "ray", "signature": one, "max_queue": 2, "max_batch": 1}
    async with a_host(models / "slow.pt", "torchscript", **options) as host:
        session = os.getsid(host.process.pid)
        value = np.float32([0.3125])
        assert np.array_equal(output(await host.infer(tensor("x", value))), value)
        assert np.array_equal(await binary(host, value), value)
        assert (await host.infer(tensor("x", np.zeros((1, 1))))).status == 400
        crowd = [host.infer(tensor("x", np.float32([10]))) for _ in range(CALLERS)]
        answers = await asyncio.gather(*crowd)
        statuses = [answer.status for answer in answers]
        assert sorted(set(statuses)) == [200, 503], answers
        assert "wait for this model already" in answers[statuses.index(503)].json["error"]
        last = asyncio.create_task(host.infer(tensor("x", np.float32([40]))))
        await until_running(host)
        host.terminate()
        assert output(await last).tolist() == [40]
        assert await host.process.wait() == 0
        assert not [p.name() for p in psutil.process_iter() if session_of(p.pid) == session]
