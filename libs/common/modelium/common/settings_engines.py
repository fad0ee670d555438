"""The settings of engines: vLLM, and the model host for everything else."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from modelium.common.settings_base import GIB, MIB, Section


class Vllm(Section):
    """Engines for language models."""

    enabled: bool = Field(default=True, description="Whether vLLM may be used.")
    python: Path | None = Field(
        default=None, description="Interpreter that has vLLM installed, for the process launcher."
    )
    image: str = Field(
        default="modelium-engine-vllm-cpu:latest", description="Image for the docker launcher."
    )
    command: tuple[str, ...] = Field(
        default=("python3", "-m", "vllm.entrypoints.openai.api_server", "--model"),
        min_length=1,
        description="Command in the image; the model's path follows. GPU image: [vllm, serve].",
    )
    dtype: str = Field(default="auto", description="Data type; auto means float32 on a CPU.")
    max_num_seqs: PositiveInt = Field(default=64, description="Requests an engine runs at once.")
    max_context_tokens: PositiveInt = Field(
        default=8192, description="Context length given to an engine, unless the model has less."
    )
    kv_cache_bytes: PositiveInt = Field(
        default=256 * MIB, description="Bytes of key-value cache of an engine, per device."
    )
    overhead_bytes: PositiveInt = Field(
        default=2 * GIB + 512 * MIB,
        description="Bytes an engine needs beside weights and cache (CPU: measured 1.4 GiB).",
    )
    shm_bytes: PositiveInt = Field(
        default=512 * MIB, description="Size of /dev/shm of an engine's container."
    )
    shutdown_timeout_seconds: PositiveInt = Field(
        default=20, description="Seconds an engine gets to end its requests when it is stopped."
    )
    stall_timeout_seconds: PositiveFloat = Field(
        default=120.0, description="Seconds a load may show no progress (log, CPU) before it fails."
    )
    load_timeout_seconds: PositiveFloat = Field(
        default=1800.0, description="Seconds after which a load fails even if it shows progress."
    )
    silence_timeout_seconds: PositiveFloat = Field(
        default=60.0,
        description="Seconds a loaded engine may answer no health check or get on with no request."
        " The second half is given to a test request, which an engine that is only busy answers; as"
        " progress is looked at every 10 s, one that hangs is given up after 60 to 70 s by default:"
        " hardly later than its clients, which wait about a minute.",
    )
    sleep_mode: bool = Field(
        default=False,
        description="Whether GPU engines can sleep; opens vLLM's administration on their port.",
    )
    host_memory_bytes: PositiveInt = Field(
        default=16 * GIB,
        description="Host memory of a GPU engine's container, beside the size of its weights.",
    )
    extra_args: tuple[str, ...] = Field(default=(), description="More arguments for every engine.")


class HostMode(StrEnum):
    """How a model host is run."""

    SOLO = "solo"
    RAY = "ray"


class RayServe(Section):
    """Engines for everything else: TorchScript, torch.export, ONNX, transformers' classifiers."""

    enabled: bool = Field(default=True, description="Whether the general runtime may be used.")
    mode: HostMode = Field(
        default=HostMode.SOLO,
        description="solo: a server alone; ray: the same as a deployment of Ray Serve, which takes"
        " 1 GiB more and starts 15 s later.",
    )
    python: Path | None = Field(
        default=None,
        description="Interpreter that has torch and onnxruntime, for the process launcher; empty: "
        "that of vllm.python.",
    )
    image: str = Field(
        default="modelium-engine-vllm-cpu:latest", description="Image for the docker launcher."
    )
    threads: PositiveInt | None = Field(
        default=None, description="Threads that compute a batch; empty: the cores of its device."
    )
    max_batch: PositiveInt = Field(default=32, description="Rows that are computed at once.")
    batch_wait_milliseconds: NonNegativeFloat = Field(
        default=2.0, description="Milliseconds a row waits for others to be computed with it."
    )
    max_queue: PositiveInt = Field(
        default=256, description="Requests that wait in an engine; those beyond are refused."
    )
    overhead_bytes: PositiveInt | None = Field(
        default=None,
        description="Bytes an engine needs beside its weights; empty: 256 MiB for ONNX, 768 MiB for"
        " other models, 1 GiB of a GPU. In ray mode 1 GiB more.",
    )
    host_memory_bytes: PositiveInt = Field(
        default=4 * GIB,
        description="Host memory of a GPU engine's container, beside the size of its weights.",
    )
    shm_bytes: PositiveInt = Field(
        default=512 * MIB, description="Size of /dev/shm of an engine's container."
    )
    shutdown_timeout_seconds: PositiveInt = Field(
        default=20, description="Seconds an engine gets to end its requests when it is stopped."
    )
    stall_timeout_seconds: PositiveFloat = Field(
        default=120.0, description="Seconds a load may show no progress (log, CPU) before it fails."
    )
    load_timeout_seconds: PositiveFloat = Field(
        default=600.0, description="Seconds after which a load fails even if it shows progress."
    )
    silence_timeout_seconds: PositiveFloat = Field(
        default=60.0,
        description="The same as for vLLM: seconds without an answer or progress, half of them for"
        " a test request.",
    )
