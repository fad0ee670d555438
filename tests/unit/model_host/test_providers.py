"""Execution providers of ONNX Runtime."""

from modelium.model_host.models.providers import choose

TRT, CUDA, CPU = (f"{name}ExecutionProvider" for name in ("Tensorrt", "CUDA", "CPU"))


def names(available: list[str], device: str) -> list[str]:
    return [name for name, _ in choose(available, device=device, memory_bytes=0)]


def test_the_best_that_is_there_comes_first_and_the_cpu_last() -> None:
    assert names([TRT, CUDA, CPU], "cuda") == [TRT, CUDA, CPU]
    assert names(["AzureExecutionProvider", CUDA, CPU], "cuda") == [CUDA, CPU]


def test_a_model_for_the_cpu_takes_no_gpu() -> None:
    assert names([TRT, CUDA, CPU], "cpu") == [CPU]


def test_a_model_for_a_gpu_is_not_put_on_the_cpu_unasked() -> None:
    assert names([CPU], "cuda") == []


def test_memory_is_limited_where_a_limit_is_given() -> None:
    found = dict(choose([CUDA, CPU], device="cuda", memory_bytes=1 << 30))
    assert found[CUDA]["gpu_mem_limit"] == 1 << 30
