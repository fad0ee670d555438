"""How a model host is started, and what its answers are taken for."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelium.common.descriptor import Overrides, RuntimeKind, Task, TensorSpec
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.common.settings import LauncherKind, RayServe
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.launcher import LaunchFailed, LaunchSpec, Site, record_of
from modelium.runtime_agent.runtime import CannotSleep, Health, NotServing, Work
from modelium.runtime_agent.runtimes.host_canary import LARGEST, row_for
from modelium.runtime_agent.runtimes.ray_serve import RayServeRuntime, work_of
from tests.agent_fakes import Answers
from tests.agent_kit import a_load

GIB = 1 << 30
CPU = Traits("cpu-local-0", DeviceKind.CPU, 8 * GIB, cores=2.5)
GPU = Traits("GPU-1", DeviceKind.CUDA, 141 * GIB)
HERE = Site(LauncherKind.PROCESS, "/m/net.pt2", "/m/net.pt2", "127.0.0.1", 4321)
CONTAINER = Site(LauncherKind.DOCKER, "/m/net.pt2", "/models/net", "0.0.0.0", 8000)
X = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))


def _command(**about: Any) -> LoadModel:
    values = {
        "format": "pt2",
        "architecture": "ExportedProgram",
        "task": Task.TENSOR,
        "runtime": RuntimeKind.RAY_SERVE,
    }
    descriptor = a_descriptor(**(values | about))
    return a_load(
        Path("/m/net.pt2"), model="net", descriptor=descriptor, reserve_bytes=GIB, kv_cache_bytes=0
    )


def _runtime(answers: Answers | dict[str, tuple[int, bytes]] | None = None, **settings: Any) -> Any:
    values = {"python": "/opt/engine/bin/python"} | settings
    return RayServeRuntime(
        RayServe.model_validate(values),
        answers if isinstance(answers, Answers) else Answers(answers or {}),
        python=None,
        package=lambda: Path("/state/model-host"),
    )


def _spec(
    *devices: Traits, site: Site = HERE, load: LoadModel | None = None, **settings: Any
) -> LaunchSpec:
    command, owned = load or _command(), devices or (CPU,)
    record = record_of(command, owned[0].kind)
    spec: LaunchSpec = _runtime(**settings).spec(command, record, site, owned)
    return spec


def _option(spec: LaunchSpec, name: str) -> str | None:
    return spec.argv[spec.argv.index(name) + 1] if name in spec.argv else None


def test_a_process_is_told_the_model_and_finds_nothing_of_ours_but_the_host() -> None:
    spec = _spec()
    assert spec.argv[:3] == ("/opt/engine/bin/python", "-m", "modelium.model_host")
    said = {name: _option(spec, f"--{name}") for name in ("name", "path", "format", "task", "port")}
    assert said == {
        "name": "net",
        "path": "/m/net.pt2",
        "format": "pt2",
        "task": "tensor",
        "port": "4321",
    }
    assert (_option(spec, "--mode"), _option(spec, "--device")) == ("solo", "cpu")
    assert spec.environment["PYTHONPATH"] == "/state/model-host"


def test_it_answers_to_the_names_that_the_models_own_file_gives() -> None:
    spec = _spec(load=_command(overrides=Overrides(aliases=("net-1", "best"))))
    given = [spec.argv[at + 1] for at, word in enumerate(spec.argv) if word == "--alias"]
    assert given == ["net-1", "best"]
    assert "--alias" not in _spec().argv


def test_of_a_folder_it_is_told_the_file_that_is_the_model() -> None:
    folder = replace(CONTAINER, source_path="/m/net", model_path="/models/net")
    spec = _spec(site=folder, load=_command(format="onnx", file="model.onnx"))
    assert _option(spec, "--path") == "/models/net/model.onnx"


def test_all_that_limits_it_comes_from_the_settings() -> None:
    limits = {"max_batch": 7, "batch_wait_milliseconds": 0.5, "max_queue": 9, "mode": "ray"}
    spec = _spec(shutdown_timeout_seconds=3, **limits)
    names = ("--max-batch", "--batch-wait-ms", "--max-queue", "--drain-seconds", "--mode")
    assert [_option(spec, name) for name in names] == ["7", "0.5", "9", "3", "ray"]


@pytest.mark.parametrize(("settings", "threads"), [({}, "2"), ({"threads": 5}, "5")])
def test_it_computes_with_the_cores_of_its_device(settings: dict[str, int], threads: str) -> None:
    spec = _spec(**settings)
    assert _option(spec, "--threads") == spec.environment["OMP_NUM_THREADS"] == threads


def test_of_a_gpu_it_is_told_what_it_may_take_and_which_it_is() -> None:
    spec = _spec(GPU)
    assert (_option(spec, "--device"), _option(spec, "--memory-bytes")) == ("cuda", str(GIB))
    assert spec.environment["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert "--memory-bytes" not in _spec().argv


def test_a_container_has_the_host_in_its_image_and_the_memory_that_was_reserved() -> None:
    spec = _spec(site=CONTAINER)
    assert spec.argv[:3] == ("python3", "-m", "modelium.model_host")
    assert _option(spec, "--path") == "/models/net"
    assert "PYTHONPATH" not in spec.environment
    assert spec.memory_bytes == GIB
    assert _spec(GPU, site=CONTAINER).memory_bytes == 4 * GIB + 1_000_000_000


def test_what_the_analysis_found_is_told_for_files_that_do_not_say_it_themselves() -> None:
    assert "--signature" not in _spec().argv
    signature = _option(_spec(load=_command(inputs=(X,))), "--signature")
    assert signature is not None
    expected = [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert json.loads(signature) == {"inputs": expected, "outputs": []}


def test_without_an_interpreter_the_setting_to_change_is_named() -> None:
    with pytest.raises(LaunchFailed, match=r"ray_serve\.python"):
        _spec(python=None)


@pytest.mark.parametrize(
    ("status", "health"),
    [
        (200, Health.SERVING),
        (
            503,
            Health.STARTING,
        ),  # while it loads, or ends
        (500, Health.SILENT),
        (404, Health.SILENT),  # Ray's proxy before the deployment is there
    ],
)
async def test_health(status: int, health: Health) -> None:
    assert await _runtime({"/health": (status, b"")}).health("http://e") is health


ABOUT = {"name": "net", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]}
NET, INFER = "/v2/models/net", "/v2/models/net/infer"


def _answers(infer: int = 200, **about: Any) -> dict[str, tuple[int, bytes]]:
    return {
        NET: (200, json.dumps(ABOUT | about).encode()),
        INFER: (infer, b"{}"),
        "/v2": (200, b'{"name": "h", "version": "1.2"}'),
    }


@pytest.mark.parametrize("status", [200, 400])  # 400: the row, which is a guess, does not fit
async def test_one_row_proves_it_and_memory_is_learned_for_each_mode(status: int) -> None:
    http = Answers(_answers(status))
    proof = await _runtime(http, mode="ray").prove(
        "http://e", record_of(_command(), DeviceKind.CPU)
    )
    assert proof.engine == "ray_serve-ray-1.2"
    row = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0, 0]}
    assert http.bodies[INFER] == {"inputs": [row]}


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (_answers(500), "infer was answered 500"),
        (_answers(name="other"), "its engine serves other, not net"),
        ({NET: (503, b"loading")}, "was answered 503: loading"),
        ({NET: (200, b"x")}, "no JSON"),
        ({NET: (200, b"[]")}, "no JSON object"),
    ],
)
async def test_what_proves_nothing(answers: dict[str, tuple[int, bytes]], reason: str) -> None:
    with pytest.raises(NotServing, match=reason):
        await _runtime(answers).prove("http://e", record_of(_command(), DeviceKind.CPU))


async def test_a_model_that_says_nothing_of_its_inputs_is_proved_by_its_host() -> None:
    http = Answers(_answers(inputs=[]))
    await _runtime(http).prove("http://e", record_of(_command(), DeviceKind.CPU))
    assert INFER not in http.asked


@pytest.mark.parametrize(
    ("inputs", "data"),
    [
        ([{"name": "x", "datatype": "INT64", "shape": [-1, -1]}], [0] * 8),
        ([{"name": "x", "datatype": "BYTES", "shape": [-1]}], [""]),
        ([{"name": "x", "datatype": "BOOL", "shape": []}], [False]),
        ([{"name": "x", "datatype": "FP32", "shape": [1, LARGEST + 1]}], None),
        ([{"name": "x", "datatype": "", "shape": [1]}], None),
        ([{"name": "x", "datatype": "FP32"}], None),
    ],
)
def test_a_row_is_made_up_from_the_inputs(inputs: list[Any], data: list[Any] | None) -> None:
    row = row_for(inputs)
    assert row == (None if data is None else row)
    if row is not None:
        assert row["inputs"][0]["data"] == data


async def test_it_does_not_sleep() -> None:
    runtime = _runtime()
    assert not runtime.can_sleep(DeviceKind.CUDA, Task.TENSOR)
    with pytest.raises(CannotSleep):
        await runtime.sleep("http://e", 1)


METRICS = """# TYPE modelium_host_requests_running gauge
modelium_host_requests_running{model="a} b"} 2.0
modelium_host_requests_waiting{model="a} b"} 1.0
modelium_host_run_seconds_count{model="a} b"} 7.0
modelium_host_run_seconds_sum{model="a} b"} 0.25
modelium_host_requests_total{code="200",model="a} b",route="infer"} 4.0
"""


def test_progress_is_a_run_of_the_model_and_no_answer_of_the_server() -> None:
    assert work_of(METRICS) == Work(3, "7.0")
    assert work_of(METRICS.replace("} 4.0", "} 5.0")) == work_of(METRICS)
    assert work_of("") == Work(0, "")
