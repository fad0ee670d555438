"""Models that vLLM does not serve, dropped in one after the other and predicted through the
gateway: the same numbers as when they are run directly, in the engine's own interpreter."""

import base64
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from modelium.common.settings import GIB
from modelium.runtime_agent.process_tree import MARKER
from tests.agent_kit import is_alive
from tests.host_kit import make_models, tensor
from tests.onnx_models import Array, write_linear
from tests.system import System, running, wait_until

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]

RUNS_ONNX = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
numpy.save(sys.argv[3], session.run(None, {"x": numpy.load(sys.argv[2])["x"]})[0])
"""


@pytest.fixture(scope="module")
def python() -> Path:
    return Path(os.environ["MODELIUM_VLLM_PYTHON"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Path:
    """The models, and beside them what each answers when it is run directly."""
    folder = tmp_path_factory.mktemp("made")
    make_models(folder)
    write_linear(folder / "linear.onnx")
    (folder / "apart").mkdir()
    write_linear(folder / "apart" / "model.onnx", weights_in="weights.bin")
    files = [folder / name for name in ("linear.onnx", "small.npz", "linear.npy")]
    subprocess.run([python, "-c", RUNS_ONNX, *files], check=True)
    return folder


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[System]:
    """Nothing in it; memory for two or three such engines."""
    folder = tmp_path_factory.mktemp("general")
    with running(folder, engine_python=python, slot_bytes=3 * GIB) as started:
        yield started


def _drop(system: System, source: Path) -> str:
    """Copy a model in; its served name, once it is known."""
    copy = shutil.copytree if source.is_dir() else shutil.copy
    copy(source, system.models / source.name)
    found: str = wait_until(f"{source.name} is known", lambda: _analysed(system, source.stem))
    return found


def _analysed(system: System, stem: str) -> str | None:
    """The name of the model with this file; None before its files are analysed."""
    listed = {card["id"]: card["modelium"]["task"] for card in system.get("/v1/models")["data"]}
    return next((name for name, task in listed.items() if name.startswith(stem) and task), None)


def _asked(
    system: System, path: str, body: bytes, content_type: str, **headers: str
) -> tuple[bytes, Any]:
    request = urllib.request.Request(
        system.url + path, body, {"content-type": content_type, **headers}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read(), answer.headers


def _output(answer: dict[str, Any]) -> Array:
    [output] = answer["outputs"]
    return np.array(output["data"], np.float32).reshape(output["shape"])


def _equal(got: Array, expected: Array) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)


def test_torchscript_by_the_open_inference_protocol(system: System, made: Path) -> None:
    name = _drop(system, made / "small.pt")
    direct = np.load(made / "small.npz")
    answer = system.post(f"/v2/models/{name}/infer", {"inputs": [tensor("x", direct["x"])]})
    _equal(_output(answer), direct["y"])
    seen = system.model(name)
    assert seen is not None
    assert (seen["state"], seen["runtime"], seen["task"]) == ("loaded", "ray_serve", "tensor")


def test_an_exported_program_with_binary_tensors(system: System, made: Path) -> None:
    name = _drop(system, made / "free.pt2")
    direct = np.load(made / "small.npz")
    rows: Array = direct["x"]
    about = {"name": "x", "shape": rows.shape, "datatype": "FP32"}
    head = json.dumps(
        {
            "inputs": [{**about, "parameters": {"binary_data_size": rows.nbytes}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    body, headers = _asked(
        system,
        f"/v2/models/{name}/infer",
        head + rows.astype("<f4").tobytes(),
        "application/octet-stream",
        **{"inference-header-content-length": str(len(head))},
    )
    length = int(headers["inference-header-content-length"])
    [output] = json.loads(body[:length])["outputs"]
    _equal(np.frombuffer(body[length:], "<f4").reshape(output["shape"]), direct["y"])


def test_onnx_by_name_and_its_metadata_from_the_file(system: System, made: Path) -> None:
    name = _drop(system, made / "linear.onnx")
    metadata = system.get(f"/v2/models/{name}")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    rows = np.load(made / "small.npz")["x"]
    answer = system.post(f"/predict/{name}", {"inputs": {"x": rows.tolist()}})
    _equal(_output(answer), np.load(made / "linear.npy"))


def test_onnx_with_its_weights_in_another_file_of_its_folder(system: System, made: Path) -> None:
    name = _drop(system, made / "apart")
    rows = np.load(made / "small.npz")["x"]
    answer = system.post(f"/predict/{name}", {"inputs": {"x": rows.tolist()}})
    _equal(_output(answer), np.load(made / "linear.npy"))


def test_an_image_in_every_form_that_clients_send_it_in(system: System, made: Path) -> None:
    name = _drop(system, made / "vision")
    image = (made / "picture.png").read_bytes()
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="p.png"\r\n\r\n'
    bodies = {
        "application/json": json.dumps({"image": base64.b64encode(image).decode()}).encode(),
        "multipart/form-data; boundary=b": head + image + b"\r\n--b--\r\n",
        "image/png": image,
    }
    direct = {said["label"]: said["score"] for said in json.loads(_read(made / "vision.json"))}
    for content_type, body in bodies.items():
        [found] = json.loads(_asked(system, f"/predict/{name}", body, content_type)[0])[
            "predictions"
        ]
        scores = {said["label"]: said["score"] for said in found["labels"]}
        assert scores == pytest.approx(direct, rel=1e-5)
        assert found["label"] == max(direct, key=lambda label: direct[label])


def _read(path: Path) -> str:
    return path.read_text()


def test_what_was_measured_is_remembered_and_no_model_was_in_the_way_of_another(
    system: System,
) -> None:
    pages = {page["model"]: page for page in system.get("/models")["models"]}
    assert len(pages) == 5
    assert {page["state"] for page in pages.values()} <= {"loaded", "unloaded"}
    assert all(page["failures"] == 0 for page in pages.values())
    assert pages["vision"]["state"] == "loaded"
    assert 0 < pages["vision"]["resident_bytes"] < GIB


def test_under_ray_serve_the_same_model_answers_and_dies_with_all_its_processes(
    tmp_path: Path, made: Path, python: Path
) -> None:
    in_ray = {"ray_serve": {"mode": "ray"}}
    folder = tmp_path / "ray"
    with running(folder, engine_python=python, settings=in_ray, slot_bytes=3 * GIB) as ray:
        name = _drop(ray, made / "linear.onnx")
        rows = np.load(made / "small.npz")["x"]
        answer = ray.post(f"/predict/{name}", {"inputs": {"x": rows.tolist()}})
        _equal(_output(answer), np.load(made / "linear.npy"))
        engine = [p for p in ray.processes() if _instance_of(p).startswith(f"{name}.1@")]
        assert len(engine) > 5
        min(engine, key=lambda process: process.create_time()).kill()
        wait_until("its death was seen", lambda: _state(ray, name) == "error")
        assert not any(is_alive(process) for process in engine)


def _instance_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARKER, "")
    except psutil.Error:
        return ""


def _state(system: System, name: str) -> str:
    seen = system.model(name)
    return str(seen["state"]) if seen else ""
