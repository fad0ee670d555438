"""Which runtime serves what, and what is said where none does."""

import pytest

from modelium.common.descriptor import Overrides, RuntimeKind, Task
from modelium.common.records import DeviceKind
from modelium.common.testing import a_descriptor
from modelium.core.runtimes import choose, obstacle

ALL = frozenset(RuntimeKind)
VLLM, RAY = RuntimeKind.VLLM, RuntimeKind.RAY_SERVE


@pytest.mark.parametrize(
    ("model_format", "task", "runtime"),
    [
        ("huggingface", Task.CHAT, VLLM),
        ("huggingface", Task.EMBEDDING, VLLM),
        ("huggingface", Task.UNKNOWN, VLLM),
        ("lora", Task.CHAT, VLLM),
        ("huggingface", Task.VISION, RAY),
        ("onnx", Task.TENSOR, RAY),
        ("pt2", Task.TENSOR, RAY),
        ("torchscript", Task.TENSOR, RAY),
        ("gguf", Task.CHAT, None),
        ("safetensors", Task.UNKNOWN, None),
        ("huggingface", Task.SPEECH, None),
    ],
)
def test_each_kind_of_model_has_its_runtime(
    model_format: str, task: Task, runtime: RuntimeKind | None
) -> None:
    choice = choose(a_descriptor(format=model_format, task=task), ALL)
    assert choice.runtime is runtime
    assert choice.reason


def test_another_runtime_takes_what_the_first_is_not_there_for() -> None:
    classifier = a_descriptor(task=Task.CLASSIFY)
    assert choose(classifier, {RAY}).runtime is RAY
    choice = choose(a_descriptor(task=Task.CHAT), {RAY})
    assert choice.runtime is VLLM
    assert choice.reason == "vLLM serves transformers models for chat, but is not enabled"


def test_a_person_s_choice_is_taken_or_refused() -> None:
    wants_ray = Overrides(runtime=RAY)
    taken = choose(a_descriptor(task=Task.CLASSIFY, overrides=wants_ray), {VLLM})
    assert (taken.runtime, taken.reason) == (
        RAY,
        "its own file asks for the model host (ray_serve)",
    )
    refused = choose(a_descriptor(task=Task.CHAT, overrides=wants_ray), ALL)
    assert refused.runtime is None
    assert "asks for the model host (ray_serve), but the model host classifies" in refused.reason


def test_what_would_serve_it_is_said() -> None:
    said = choose(a_descriptor(format="gguf"), ALL).reason
    assert "vLLM as it is here does not read gguf" in said
    assert "the model host does not run gguf" in said
    assert "Hugging Face folder" in said
    assert "llama.cpp" in said


def test_what_stands_in_the_way_now() -> None:
    bits = a_descriptor(quantization="bitsandbytes 4-bit")
    assert obstacle(bits, ALL, {DeviceKind.CUDA, DeviceKind.CPU}) == ""
    assert obstacle(bits, ALL, ()) == ""
    assert "bitsandbytes weights need a GPU" in obstacle(bits, ALL, {DeviceKind.CPU})
    assert "vllm, is not enabled: set vllm.enabled" in obstacle(bits, {RAY}, {DeviceKind.CUDA})
    assert obstacle(a_descriptor(), ALL, {DeviceKind.CPU}) == ""
