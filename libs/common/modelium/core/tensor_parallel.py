"""Over how many devices an engine can be spread, and what it then needs of each. Pure.

vLLM splits the weights of every layer by attention heads, so their number must be divisible by that
of the devices; key-value heads that are fewer than the devices are kept by several. GPUs only.
"""

import math
from collections.abc import Mapping
from typing import Final

from modelium.common.descriptor import Descriptor, RuntimeKind
from modelium.common.records import DeviceKind
from modelium.core.memory import kv_cache_bytes, weight_bytes
from modelium.core.policy import MemoryPolicy

COUNTS: Final = (2, 4, 8)
COMMUNICATION_BYTES: Final = 1 << 30
"""What NCCL takes of each device (ENGINES.md: about 1 GiB per rank with four)."""


def spans(descriptor: Descriptor, policy: MemoryPolicy) -> Mapping[int, int]:
    """Number of devices to the bytes that are needed of each; empty: it cannot be spread."""
    if descriptor.runtime is not RuntimeKind.VLLM:
        return {}
    return {
        count: _bytes_of_each(descriptor, count, policy)
        for count in COUNTS
        if _divides(descriptor, count)
    }


def share_of_weights(weights_bytes: int, count: int) -> int:
    """What each of `count` devices holds of the weights."""
    return math.ceil(weights_bytes / count)


def _divides(descriptor: Descriptor, count: int) -> bool:
    heads, kv_heads = descriptor.attention_heads, descriptor.kv_heads
    if not heads or heads % count:
        return False
    return not kv_heads or kv_heads % count == 0 or count % kv_heads == 0


def _bytes_of_each(descriptor: Descriptor, count: int, policy: MemoryPolicy) -> int:
    """The cache is given to each as a whole: it then holds more tokens, and may hold a request."""
    weights = share_of_weights(weight_bytes(descriptor, DeviceKind.CUDA, policy), count)
    cache = kv_cache_bytes(descriptor, DeviceKind.CUDA, policy)
    return weights + cache + policy.overhead_bytes + COMMUNICATION_BYTES
