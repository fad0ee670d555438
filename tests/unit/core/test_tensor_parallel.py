"""Over how many GPUs an engine can be spread, and what of each."""

from typing import Any

import pytest

from modelium.common.descriptor import RuntimeKind
from modelium.common.testing import a_descriptor
from modelium.core.policy import MemoryPolicy
from modelium.core.tensor_parallel import COMMUNICATION_BYTES, share_of_weights, spans

GB = 1_000_000_000
POLICY = MemoryPolicy(kv_cache_bytes=GB, overhead_bytes=2 * GB, max_context_tokens=16)


def spread(**changes: Any) -> list[int]:
    """The numbers of devices over which such a model can be spread."""
    sizes = {"weight_bytes": 80 * GB, "dtype": "BF16", "kv_bytes_per_token": 0}
    return list(spans(a_descriptor(**sizes | changes), POLICY))


@pytest.mark.parametrize(
    ("heads", "kv_heads", "expected"),
    [
        (32, 8, [2, 4, 8]),
        (32, 2, [2, 4, 8]),  # four devices keep each of two
        (12, 4, [2, 4]),
        (14, 2, [2]),
        (24, 3, []),  # three can neither be shared out nor kept by two each
        (9, 9, []),
        (0, 0, []),  # nobody knows
        (16, 0, [2, 4, 8]),  # a latent is kept by all
    ],
)
def test_heads_must_be_divisible(heads: int, kv_heads: int, expected: list[int]) -> None:
    assert spread(attention_heads=heads, kv_heads=kv_heads) == expected


def test_only_engines_of_vllm_are_spread() -> None:
    assert spread(attention_heads=32, kv_heads=8, runtime=RuntimeKind.RAY_SERVE) == []


def test_each_holds_its_share_of_the_weights_and_a_cache() -> None:
    descriptor = a_descriptor(
        weight_bytes=80 * GB, dtype="BF16", kv_bytes_per_token=0, attention_heads=32, kv_heads=8
    )
    beside = 3 * GB + COMMUNICATION_BYTES
    assert spans(descriptor, POLICY) == {
        2: 40 * GB + beside,
        4: 20 * GB + beside,
        8: 10 * GB + beside,
    }
    assert share_of_weights(7, 2) == 4
