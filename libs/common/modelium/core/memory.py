"""How much memory an engine of a model needs on one device.

An estimate from the descriptor before the first load; once an engine was measured, its figure
counts, within what is certain: an engine never needs less than its weights and its cache.
The ledger (`ledger.py`) keeps the books; what an engine is given is also said here.
"""

from typing import Final

from modelium.common.records import Descriptor, DeviceKind, ModelRecord
from modelium.core.policy import MemoryPolicy

SIXTEEN_BIT: Final = frozenset({"bf16", "f16", "fp16", "bfloat16", "float16", "half"})


def context_tokens(descriptor: Descriptor, policy: MemoryPolicy) -> int:
    """The context length an engine is given: the model's own, but no more than the policy's."""
    own = descriptor.context_length or policy.max_context_tokens
    return min(own, policy.max_context_tokens)


def kv_cache_bytes(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> int:
    """The cache an engine is given: the policy's, but enough for one request of full length."""
    per_token = descriptor.kv_bytes_per_token * (2 if _computes_wider(kind, policy) else 1)
    return max(policy.kv_cache_bytes, per_token * context_tokens(descriptor, policy))


def weight_bytes(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> int:
    """The weights as the engine holds them: 16-bit files double when computed in float32."""
    widened = _computes_wider(kind, policy) and descriptor.dtype.lower() in SIXTEEN_BIT
    return descriptor.weight_bytes * (2 if widened else 1)


def estimated_bytes(descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy) -> int:
    """What an engine needs before any was measured."""
    certain = weight_bytes(descriptor, kind, policy) + kv_cache_bytes(descriptor, kind, policy)
    return certain + policy.overhead_bytes


def needed_bytes(
    descriptor: Descriptor, kind: DeviceKind, policy: MemoryPolicy, *, measured_bytes: int = 0
) -> int:
    """Bytes of one device for an engine; `measured_bytes` is what an earlier one held, 0: unknown.

    A CPU's cache is touched only as it fills, so it is added to what was measured there. Such
    caution never asks for more than the estimate: where an engine ran, it shall fit again.
    """
    estimate = estimated_bytes(descriptor, kind, policy)
    if measured_bytes <= 0:
        return estimate
    cache = kv_cache_bytes(descriptor, kind, policy)
    untouched = cache if kind is DeviceKind.CPU else 0
    learned = int(measured_bytes * (1 + policy.measured_margin_ratio)) + untouched
    certain = weight_bytes(descriptor, kind, policy) + cache
    return max(measured_bytes, certain, min(learned, estimate))


def needed_by_record(
    record: ModelRecord, kind: DeviceKind, policy: MemoryPolicy, *, measured_bytes: int = 0
) -> int:
    """Bytes of one device for the model's next engine; 0 while its files are not analysed.

    `measured_bytes` is of these files on this kind of device. While the model's loads fail, it does
    not lower the estimate.
    """
    if record.descriptor is None:
        return 0
    learned = needed_bytes(record.descriptor, kind, policy, measured_bytes=measured_bytes)
    if record.failures:
        return max(learned, estimated_bytes(record.descriptor, kind, policy))
    return learned


def _computes_wider(kind: DeviceKind, policy: MemoryPolicy) -> bool:
    return kind is DeviceKind.CPU and policy.cpu_float32
