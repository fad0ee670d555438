"""What a model host needs, which has no cache and no context."""

from typing import Any

import pytest

from modelium.common.descriptor import Descriptor, RuntimeKind, Task, TensorSpec
from modelium.common.records import DeviceKind
from modelium.common.settings import GIB, MIB, RayServe, Vllm
from modelium.common.testing import a_descriptor, a_model_record
from modelium.core.measurements import Known
from modelium.core.memory import estimated_bytes, kv_cache_bytes, needed_bytes, weight_bytes
from modelium.core.model_host import ACTIVATIONS, ONNX_BYTES, ROW_BYTES, as_given
from modelium.core.policy import memory_policy

POLICY = memory_policy(Vllm(), RayServe())
CPU, CUDA = DeviceKind.CPU, DeviceKind.CUDA
IMAGE = TensorSpec(name="x", datatype="FP32", shape=(-1, 3, 224, 224))


def hosted(**about: Any) -> Descriptor:
    values = {"task": Task.TENSOR, "runtime": RuntimeKind.RAY_SERVE, "weight_bytes": 100 * MIB}
    return a_descriptor(**(values | about))


def test_it_has_weights_and_what_the_framework_takes_and_no_cache() -> None:
    about = hosted(dtype="F32", inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),))
    assert kv_cache_bytes(about, CPU, POLICY) == 0
    row = 4 * 4
    expected = (100 + 768) * MIB + 32 * row * ACTIVATIONS
    assert estimated_bytes(about, CPU, POLICY) == needed_bytes(about, CPU, POLICY) == expected
    on_gpu = needed_bytes(about, CUDA, POLICY)
    assert on_gpu == 100 * MIB + GIB + 32 * row * ACTIVATIONS


@pytest.mark.parametrize(
    ("settings", "overhead"),
    [
        ({"mode": "ray"}, 1792 * MIB),
        ({"overhead_bytes": 5 * MIB}, 5 * MIB),
        ({"mode": "ray", "overhead_bytes": 5 * MIB}, GIB + 5 * MIB),
    ],
)
def test_the_framework_takes_what_the_settings_say(settings: dict[str, Any], overhead: int) -> None:
    policy = memory_policy(Vllm(), RayServe.model_validate(settings | {"max_batch": 1}))
    about = hosted(inputs=(IMAGE,))
    row = 3 * 224 * 224 * 4
    assert as_given(about, CPU, policy).overhead_bytes == overhead + row * ACTIVATIONS


@pytest.mark.parametrize(
    "inputs",
    [
        (),  # the files do not tell
        (TensorSpec(name="text", datatype="BYTES", shape=(-1,)),),
        (TensorSpec(name="ids", datatype="INT64", shape=(-1, -1)),),
    ],
)
def test_a_batch_of_rows_of_unknown_size_is_guessed(inputs: tuple[TensorSpec, ...]) -> None:
    beside = as_given(hosted(inputs=inputs), CPU, POLICY).overhead_bytes - 768 * MIB
    assert beside == 32 * ROW_BYTES * ACTIVATIONS


def test_onnxruntime_keeps_weights_twice_on_a_cpu() -> None:
    known = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
    needed = {
        (name, kind): needed_bytes(hosted(format=name, dtype="F32", inputs=(known,)), kind, POLICY)
        for name in ("onnx", "torchscript")
        for kind in DeviceKind
    }
    assert needed["onnx", CPU] - ONNX_BYTES == needed["torchscript", CPU] + 100 * MIB - 768 * MIB
    assert needed["onnx", CUDA] == needed["torchscript", CUDA]


def test_16_bit_weights_are_widened_on_a_cpu_whatever_vllm_computes_in() -> None:
    policy = memory_policy(Vllm(dtype="float16"), RayServe())
    about = hosted(dtype="F16", weight_bytes=100)
    assert (weight_bytes(about, CPU, policy), weight_bytes(about, CUDA, policy)) == (200, 100)


def test_what_was_measured_is_what_the_next_load_gets() -> None:
    about = hosted(dtype="F32", inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),))
    known = Known(loads=5, highest_bytes=380 * MIB)
    needed = needed_bytes(about, CPU, POLICY, known)
    assert 380 * MIB < needed < 400 * MIB < needed_bytes(about, CPU, POLICY)


def test_a_tiny_model_keeps_room_for_batches_that_were_never_measured() -> None:
    known = Known(loads=9, highest_bytes=60 * MIB)
    about = hosted(format="onnx", weight_bytes=MIB, inputs=(IMAGE,))
    row = 3 * 224 * 224 * 4
    expected = (1 + 128) * MIB + 32 * row * ACTIVATIONS
    assert needed_bytes(about, CPU, POLICY, known) == expected


def test_vllm_is_given_what_it_was() -> None:
    about = a_model_record().descriptor
    assert about is not None
    assert as_given(about, CPU, POLICY) is POLICY
