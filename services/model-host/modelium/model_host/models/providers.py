"""Which execution providers of ONNX Runtime a session uses; pure."""

from collections.abc import Sequence
from typing import Any, Final

from modelium.model_host.protocol.tensors import TensorSpec

Provider = tuple[str, dict[str, Any]]

_TENSORRT: Final = "TensorrtExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
CPU: Final = "CPUExecutionProvider"


def has_tensorrt(available: Sequence[str], device: str) -> bool:
    """Whether TensorRT could be among those chosen."""
    return device != "cpu" and _TENSORRT in available


def tensorrt_shapes(inputs: Sequence[TensorSpec], max_batch: int) -> dict[str, str]:
    """The shapes that TensorRT builds an engine for, once: 1 to `max_batch` rows.

    Empty where any other dimension is free: it would build another for each shape that comes, and
    that takes minutes.
    """
    shapes = [(spec.name, spec.shape or ()) for spec in inputs]
    if not shapes or any(not shape or -1 in shape[1:] for _, shape in shapes):
        return {}
    rows = {"min": 1, "opt": max(1, max_batch // 2), "max": max_batch}
    return {
        f"trt_profile_{bound}_shapes": ",".join(_profile(*spec, rows=count) for spec in shapes)
        for bound, count in rows.items()
    }


def _profile(name: str, shape: tuple[int, ...], *, rows: int) -> str:
    first = rows if shape[0] == -1 else shape[0]
    return f"{name}:{'x'.join(map(str, (first, *shape[1:])))}"


def choose(
    available: Sequence[str], *, device: str, memory_bytes: int, shapes: dict[str, str]
) -> list[Provider]:
    """The best that is there first, the CPU last, for what the others cannot run.

    `shapes`: those for TensorRT, which is left out without any. An empty list: the device is a GPU,
    and this build of the runtime has nothing for it.
    """
    cpu: Provider = (CPU, {})
    if device == "cpu":
        return [cpu]
    limit = {"gpu_mem_limit": memory_bytes} if memory_bytes else {}
    workspace = {"trt_max_workspace_size": memory_bytes // 4} if memory_bytes else {}
    settings: dict[str, dict[str, Any]] = {
        _TENSORRT: {"trt_fp16_enable": False, **workspace, **shapes},
        _CUDA: {"arena_extend_strategy": "kSameAsRequested", **limit},
    }
    names = (_TENSORRT, _CUDA) if shapes else (_CUDA,)
    found = [(name, settings[name]) for name in names if name in available]
    return [*found, cpu] if found else []
