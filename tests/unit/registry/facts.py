"""Sample facts about the model `qwen`, whose files lie in /models/qwen."""

from typing import Any

from modelium.common import events as ev
from modelium.common.records import DeviceKind, EngineMemory, FailureKind, ModelRecord, ModelState
from modelium.common.testing import a_descriptor, a_model_record

_FILES = {"model": "qwen", "path": "/models/qwen", "fingerprint": "f1", "size_bytes": 10}
MEMORY = EngineMemory(
    engine="vllm-1.0", device_kind=DeviceKind.CPU, weight_bytes=100, kv_cache_bytes=50
)
_ENGINE = {
    "model": "qwen",
    "instance_id": "qwen.1",
    "agent_id": "local",
    "device_ids": ("cpu-local-0",),
    "generation": 1,
}


def discovered(**changes: Any) -> ev.ModelDiscovered:
    return ev.ModelDiscovered.model_validate(_FILES | changes)


def analyzing(**changes: Any) -> ev.ModelAnalyzing:
    return ev.ModelAnalyzing.model_validate(_FILES | changes)


def analyzed(**changes: Any) -> ev.ModelAnalyzed:
    return ev.ModelAnalyzed.model_validate(_FILES | {"descriptor": a_descriptor()} | changes)


def rejected(**changes: Any) -> ev.ModelRejected:
    return ev.ModelRejected.model_validate(_FILES | {"reason": "no weights"} | changes)


def removed(**changes: Any) -> ev.ModelRemoved:
    return ev.ModelRemoved.model_validate(_FILES | changes)


def _engine(generation: int, changes: dict[str, Any]) -> dict[str, Any]:
    named = {"generation": generation, "instance_id": f"qwen.{generation}"}
    return _ENGINE | named | changes


def loading(generation: int = 1, **changes: Any) -> ev.RuntimeLoading:
    return ev.RuntimeLoading.model_validate({"reserved_bytes": 400} | _engine(generation, changes))


def loaded(generation: int = 1, **changes: Any) -> ev.RuntimeLoaded:
    serves = {
        "endpoint": "http://127.0.0.1:9001",
        "fingerprint": "f1",
        "load_s": 4.5,
        "reserved_bytes": 400,
        "resident_bytes": 300,
        "memory": MEMORY,
    }
    return ev.RuntimeLoaded.model_validate(serves | _engine(generation, changes))


def sleeping(generation: int = 1, **changes: Any) -> ev.RuntimeSleeping:
    return ev.RuntimeSleeping.model_validate({"resident_bytes": 20} | _engine(generation, changes))


def unloading(generation: int = 1, **changes: Any) -> ev.RuntimeUnloading:
    return ev.RuntimeUnloading.model_validate(_engine(generation, changes))


def unloaded(generation: int = 1, **changes: Any) -> ev.RuntimeUnloaded:
    return ev.RuntimeUnloaded.model_validate(_engine(generation, changes))


def failed(generation: int = 1, **changes: Any) -> ev.RuntimeFailed:
    fate = {"kind": FailureKind.CRASHED, "reason": "exit code 0 without being asked"}
    return ev.RuntimeFailed.model_validate(fate | _engine(generation, changes))


def out_of_memory(generation: int = 1, **changes: Any) -> ev.RuntimeFailed:
    had = {"fingerprint": "f1", "reserved_bytes": 400, "memory": MEMORY}
    return failed(generation, **{"kind": FailureKind.OUT_OF_MEMORY} | had | changes)


def a_loaded_record(generation: int = 1, **changes: Any) -> ModelRecord:
    """`qwen` served by an engine of this generation."""
    serves = {
        "state": ModelState.LOADED,
        "generation": generation,
        "instance_id": f"qwen.{generation}",
        "agent_id": "local",
        "device_ids": ("cpu-local-0",),
        "endpoint": "http://127.0.0.1:9001",
        "loaded_fingerprint": "f1",
        "reserved_bytes": 400,
        "resident_bytes": 300,
    }
    return a_model_record(**(serves | changes))


def pinned(pinned: bool = True) -> ev.ModelPinRequested:
    return ev.ModelPinRequested(model="qwen", pinned=pinned)


def retried() -> ev.ModelRetryRequested:
    return ev.ModelRetryRequested(model="qwen")
