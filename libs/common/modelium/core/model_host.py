"""What an engine of the general runtime needs of a device. Pure.

It has no cache. Beside its weights it takes what its libraries take once loaded, which is about the
same for every model of a format, and what computing a batch takes.
"""

import math
from dataclasses import replace
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind, TensorSpec
from modelium.common.records import DeviceKind
from modelium.common.settings import GIB, MIB
from modelium.core.policy import MemoryPolicy

ONNX: Final = "onnx"
LIBRARIES_BYTES: Final = 768 * MIB
"""Torch and transformers on a CPU (measured: 230 MiB for TorchScript, 520 for transformers)."""
ONNX_BYTES: Final = 256 * MIB
"""Onnxruntime alone (measured: 60 MiB)."""
GPU_BYTES: Final = GIB
"""A CUDA context, kernels and workspaces."""
ROOM_BYTES: Final = 128 * MIB
"""For the process itself, where less was measured."""
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
    given = policy.host_bytes
    libraries = _libraries_bytes(descriptor, kind) if given is None else given
    beside = libraries + _batch_bytes(descriptor, policy.host_rows)
    if kind is DeviceKind.CPU:
        # Kept a second time, in the order that its kernels read.
        packed = descriptor.weight_bytes if descriptor.format == ONNX else 0
        beside += policy.ray_bytes + packed
    return replace(policy, overhead_bytes=beside, cpu_float32=True)


def least_bytes(descriptor: Descriptor, policy: MemoryPolicy) -> int:
    """No load of a hosted model is given less, however little was measured; 0 for others.

    What full batches take is measured only once they come, and a container has what it is given.
    """
    if not is_hosted(descriptor):
        return 0
    return descriptor.weight_bytes + ROOM_BYTES + _batch_bytes(descriptor, policy.host_rows)


def _libraries_bytes(descriptor: Descriptor, kind: DeviceKind) -> int:
    if kind is DeviceKind.CUDA:
        return GPU_BYTES
    return ONNX_BYTES if descriptor.format == ONNX else LIBRARIES_BYTES


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
