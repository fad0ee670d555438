"""What an engine's container is made of; pure, so that its hardening is tested without Docker."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from modelium.common.records import DeviceKind
from modelium.runtime_agent.launcher import EngineRecord, LaunchSpec, base_mount

AGENT_LABEL = "io.modelium.agent"
MODEL_LABEL = "io.modelium.model"
GENERATION_LABEL = "io.modelium.generation"
RECORD_LABEL = "io.modelium.record"

HOME = "/tmp"
"""In the container: the only place an engine can write to."""
CACHE = f"{HOME}/cache"
WRITABLE = {
    "HOME": HOME,
    "USER": "vllm",
    "LOGNAME": "vllm",
    "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
    "HF_HOME": f"{CACHE}/huggingface",
    "TRITON_CACHE_DIR": f"{CACHE}/triton",
    "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/torchinductor",
    "PYTHONUNBUFFERED": "1",
}
"""A user without an entry in passwd needs its names given."""


@dataclass(frozen=True)
class ContainerSettings:
    """What all engines of an agent have in common."""

    agent_id: str
    network: str
    user: str
    pids_limit: int
    logs: Path
    """Where the logs of containers are kept that are no more."""


def container_name(agent_id: str, instance_id: str) -> str:
    """One name per load attempt: starting it twice cannot make two of it."""
    model, _, generation = instance_id.rpartition(".")
    return f"modelium-{agent_id}-{model}-{generation}"


def arguments(
    spec: LaunchSpec, settings: ContainerSettings, source: str, beside: str = ""
) -> dict[str, Any]:
    """For `containers.create`; `source` is the model's folder on the host, `beside` its base's."""
    record = spec.record
    folders = {spec.site.model_path: source} | ({base_mount(spec.site): beside} if beside else {})
    return {
        "image": spec.image,
        "command": list(spec.argv),
        "entrypoint": [],
        "name": container_name(record.agent_id, record.instance_id),
        "labels": {
            AGENT_LABEL: record.agent_id,
            MODEL_LABEL: record.model,
            GENERATION_LABEL: str(record.generation),
            RECORD_LABEL: record.model_dump_json(),
        },
        "environment": {**WRITABLE, **spec.environment},
        "network": settings.network,
        # Not "volumes": those are written with colons, which a folder's name may have too.
        "mounts": [
            Mount(target, folder, type="bind", read_only=True) for target, folder in folders.items()
        ],
        **_confinement(settings),
        **_limits(spec),
        "device_requests": _devices(record),
        "restart_policy": {"Name": "no"},
        "detach": True,
        "log_config": LogConfig(type="json-file", config={"max-size": "20m", "max-file": "3"}),
    }


def _confinement(settings: ContainerSettings) -> dict[str, Any]:
    return {
        "user": settings.user,
        "read_only": True,
        "tmpfs": {HOME: "rw,nosuid,nodev,size=2g,mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ipc_mode": "private",
        "pids_limit": settings.pids_limit,
    }


def _limits(spec: LaunchSpec) -> dict[str, Any]:
    # A Docker without CAP_SYS_RESOURCE can only lower limits; vLLM itself raises its open files.
    ulimits = [Ulimit(name="core", soft=0, hard=0)]
    if spec.record.device_kind is DeviceKind.CUDA:
        # Transfers to a GPU need pinned memory.
        ulimits.append(Ulimit(name="memlock", soft=-1, hard=-1))
    limits: dict[str, Any] = {"ulimits": ulimits}
    if spec.shm_bytes:
        limits["shm_size"] = spec.shm_bytes
    if spec.memory_bytes:
        # The same with swap means: no swap.
        limits |= {"mem_limit": spec.memory_bytes, "memswap_limit": spec.memory_bytes}
    if spec.cores:
        limits["nano_cpus"] = int(spec.cores * 1e9)
    return limits


def _devices(record: EngineRecord) -> list[DeviceRequest]:
    if record.device_kind is not DeviceKind.CUDA:
        return []
    gpus = list(record.device_ids)
    return [DeviceRequest(driver="nvidia", device_ids=gpus, capabilities=[["gpu"]])]


def start_problem(explanation: str) -> str:
    """Docker's words for why a container did not start, in ours where they are known."""
    if "could not select device driver" in explanation:
        return "Docker cannot give it a GPU: install the NVIDIA Container Toolkit on the host"
    if "executable file not found" in explanation or "no such file or directory" in explanation:
        return f"the image lacks the command that vllm.command names ({explanation})"
    return f"Docker did not start the engine: {explanation}"
