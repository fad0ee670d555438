"""What an engine of the general runtime needs of a device. Pure.

It has no cache. Beside its weights it takes what torch and onnxruntime take once loaded, which is
about the same for every model, and what computing a batch takes.
"""

import math
from dataclasses import replace
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, TensorSpec
from modelium.common.records import DeviceKind
from modelium.core.policy import MemoryPolicy

ACTIVATIONS: Final = 16
"""How many times the bytes of a row are taken while it is computed."""
ROW_BYTES: Final = 1 << 19
"""Of a row whose size the files do not tell: about that of an image of 224 by 224 pixels."""
_NARROW: Final = {"BOOL": 1, "INT8": 1, "UINT8": 1, "FP16": 2, "BF16": 2, "INT16": 2, "UINT16": 2}
_WIDE: Final = {"FP32": 4, "INT32": 4, "UINT32": 4, "FP64": 8, "INT64": 8, "UINT64": 8}
_WIDTHS: Final = _NARROW | _WIDE


def is_hosted(descriptor: Descriptor) -> bool:
    """Whether a model host serves it, and not vLLM."""
    return descriptor.runtime is RuntimeKind.RAY_SERVE


def as_given(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> MemoryPolicy:
    """The policy for an engine of this model's runtime; for vLLM it is the one that it was.

    On a CPU a model host computes in float32 too.
    """
    if not is_hosted(descriptor):
        return policy
    on_cpu = kind is DeviceKind.CPU
    beside = policy.host_bytes if on_cpu else policy.host_gpu_bytes
    beside += _batch_bytes(descriptor, policy.host_rows)
    if on_cpu and descriptor.format == "onnx":
        beside += descriptor.weight_bytes  # kept a second time, in the order that its kernels read
    return replace(policy, overhead_bytes=beside, cpu_float32=True)


def _batch_bytes(descriptor: Descriptor, rows: int) -> int:
    """What is taken while a full batch is computed."""
    known = [_row_bytes(spec) for spec in descriptor.inputs]
    row = sum(bytes_ or ROW_BYTES for bytes_ in known) or ROW_BYTES
    return rows * row * ACTIVATIONS


def _row_bytes(spec: TensorSpec) -> int:
    """0: one of its lengths is open, beside that of the batch."""
    lengths = spec.shape[1:]
    if spec.datatype == "BYTES" or any(length < 0 for length in lengths):
        return 0
    return math.prod(lengths) * _WIDTHS.get(spec.datatype, 8)
