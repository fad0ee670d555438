"""Execution providers of ONNX Runtime."""

import pytest

from modelium.model_host.models.providers import choose, has_tensorrt, tensorrt_shapes
from modelium.model_host.protocol.tensors import TensorSpec

TRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))
SHAPES = {"trt_profile_max_shapes": "x:8x4"}


def names(available: list[str], device: str, shapes: dict[str, str] | None = None) -> list[str]:
    found = choose(available, device=device, memory_bytes=0, shapes=shapes or {})
    return [name for name, _ in found]


def test_the_best_that_is_there_comes_first_and_the_cpu_last() -> None:
    assert names([TRT, CUDA, CPU], "cuda", SHAPES) == [TRT, CUDA, CPU]
    assert names(["AzureExecutionProvider", CUDA, CPU], "cuda") == [CUDA, CPU]


def test_tensorrt_is_left_out_where_it_would_build_an_engine_per_shape() -> None:
    assert names([TRT, CUDA, CPU], "cuda") == [CUDA, CPU]


def test_a_model_for_the_cpu_takes_no_gpu() -> None:
    assert names([TRT, CUDA, CPU], "cpu", SHAPES) == [CPU]
    assert not has_tensorrt([TRT, CUDA, CPU], "cpu")


def test_a_model_for_a_gpu_is_not_put_on_the_cpu_unasked() -> None:
    assert names([CPU], "cuda") == []


def test_memory_is_limited_where_a_limit_is_given() -> None:
    found = dict(choose([CUDA, CPU], device="cuda", memory_bytes=1 << 30, shapes={}))
    assert found[CUDA]["gpu_mem_limit"] == 1 << 30


def test_tensorrt_builds_for_one_row_to_a_whole_batch() -> None:
    inputs = (TensorSpec("x", "FP32", (-1, 3, 224, 224)), TensorSpec("scale", "FP32", (1,)))
    assert tensorrt_shapes(inputs, 8) == {
        "trt_profile_min_shapes": "x:1x3x224x224,scale:1",
        "trt_profile_opt_shapes": "x:4x3x224x224,scale:1",
        "trt_profile_max_shapes": "x:8x3x224x224,scale:1",
    }


@pytest.mark.parametrize("shape", [(-1, -1), (-1, 3, -1, -1), ()])
def test_other_dimensions_that_are_free_are_none_for_tensorrt(shape: tuple[int, ...]) -> None:
    assert tensorrt_shapes((TensorSpec("x", "FP32", shape),), 8) == {}
