"""What an engine needs: the estimate, and what a measurement makes of it."""

import pytest

from modelium.common.records import DeviceKind
from modelium.common.testing import a_descriptor, a_model_record
from modelium.core.memory import (
    context_tokens,
    kv_cache_bytes,
    needed_by_record,
    needed_bytes,
    weight_bytes,
)
from modelium.core.policy import MemoryPolicy

POLICY = MemoryPolicy(kv_cache_bytes=100, overhead_bytes=1000, max_context_tokens=50)
CPU, CUDA = DeviceKind.CPU, DeviceKind.CUDA


@pytest.mark.parametrize(
    ("dtype", "kind", "expected"),
    [
        ("BF16", CUDA, 400),  # a GPU computes in what is stored
        ("BF16", CPU, 800),  # a CPU computes in float32: twice the bytes
        ("float16", CPU, 800),  # the other spelling
        ("F32", CPU, 400),  # already 32 bits wide
        ("I8", CPU, 400),  # quantised weights are not widened
    ],
)
def test_weights_are_held_as_the_device_computes(
    dtype: str, kind: DeviceKind, expected: int
) -> None:
    descriptor = a_descriptor(dtype=dtype, weight_bytes=400)
    assert weight_bytes(descriptor, kind, POLICY) == expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [(20, 20), (50, 50), (4096, 50), (0, 50)],  # 0: the model does not say
)
def test_context_is_the_models_own_but_no_more_than_allowed(own: int, expected: int) -> None:
    assert context_tokens(a_descriptor(context_length=own), POLICY) == expected


@pytest.mark.parametrize(
    ("per_token", "kind", "expected"),
    [
        (1, CUDA, 100),  # the configured cache is enough for one request
        (4, CUDA, 200),  # 50 tokens of 4 bytes do not fit into 100
        (4, CPU, 400),  # in float32
    ],
)
def test_cache_is_enough_for_one_request_of_full_length(
    per_token: int, kind: DeviceKind, expected: int
) -> None:
    descriptor = a_descriptor(kv_bytes_per_token=per_token, context_length=4096)
    assert kv_cache_bytes(descriptor, kind, POLICY) == expected


@pytest.mark.parametrize(
    ("measured", "kind", "expected"),
    [
        (0, CUDA, 400 + 100 + 1000),  # never measured: the estimate
        (1000, CUDA, 1150),  # less than estimated: the measurement and a margin
        (1400, CUDA, 1500),  # the margin never asks for more than the estimate
        (2000, CUDA, 2000),  # more than estimated: what it holds
        (100, CUDA, 400 + 100),  # a measurement below weights and cache is not believed
        (1000, CPU, 1150 + 100),  # a CPU's cache is not touched yet when it is measured
    ],
)
def test_a_measurement_replaces_the_estimate(
    measured: int, kind: DeviceKind, expected: int
) -> None:
    descriptor = a_descriptor(dtype="F32", weight_bytes=400, kv_bytes_per_token=0)
    assert needed_bytes(descriptor, kind, POLICY, measured_bytes=measured) == expected


def test_a_low_measurement_is_not_believed_while_loads_fail() -> None:
    descriptor = a_descriptor(dtype="F32", weight_bytes=400, kv_bytes_per_token=0)
    record = a_model_record(descriptor=descriptor, failures=1)
    assert needed_by_record(record, CUDA, POLICY, measured_bytes=1000) == 1500


def test_a_model_without_a_descriptor_needs_nothing_yet() -> None:
    assert needed_by_record(a_model_record(descriptor=None), CUDA, POLICY) == 0
