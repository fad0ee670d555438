"""Which execution providers of ONNX Runtime a session uses; pure."""

from collections.abc import Sequence
from typing import Any, Final

Provider = tuple[str, dict[str, Any]]

_TENSORRT: Final = "TensorrtExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"


def choose(available: Sequence[str], *, device: str, memory_bytes: int) -> list[Provider]:
    """The best that is there first, the CPU last, for what the others cannot run.

    An empty list: the device is a GPU, and this build of the runtime has nothing for it.
    """
    cpu: Provider = (_CPU, {})
    if device == "cpu":
        return [cpu]
    limit = {"gpu_mem_limit": memory_bytes} if memory_bytes else {}
    workspace = {"trt_max_workspace_size": memory_bytes // 4} if memory_bytes else {}
    settings: dict[str, dict[str, Any]] = {
        _TENSORRT: {"trt_fp16_enable": False, **workspace},
        _CUDA: {"arena_extend_strategy": "kSameAsRequested", **limit},
    }
    found = [(name, settings[name]) for name in (_TENSORRT, _CUDA) if name in available]
    return [*found, cpu] if found else []
