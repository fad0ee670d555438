"""Formats of language models, adapters and classifiers: what is read of them."""

from pathlib import Path
from typing import Any

import gguf
import pytest

from modelium.common.descriptor import RuntimeKind, Task, TensorSpec

from .. import models
from .files import described, missing, reason, write_gguf, write_json

LORA: dict[str, Any] = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "base_model_name_or_path": "Qwen/Qwen2.5-0.5B",
    "r": 12,
}


def write_adapter(folder: Path, **config: Any) -> Path:
    write_json(folder / "adapter_config.json", LORA | config)
    weights = models.safetensors({"q.lora_A.weight": ("BF16", (12, 64))})
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


def test_gguf_says_what_it_is(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "q.gguf", add_chat_template="{{ messages }}", add_file_type=7)
    found = described(path)
    assert (found.format, found.architecture, found.task) == ("gguf", "qwen2", Task.CHAT)
    assert found.quantization == "Q8_0"
    assert (found.context_length, found.kv_bytes_per_token) == (4096, 2 * 2 * (16 + 16) * 2)
    assert found.weight_bytes_by_dtype == {"F16": 1024, "F32": 256, "Q8_0": 136}
    assert found.parameters == 8 * 64 + 64 + 4 * 32


def test_gguf_without_a_template_completes_and_with_pooling_embeds(tmp_path: Path) -> None:
    assert described(write_gguf(tmp_path / "a.gguf")).task is Task.COMPLETION
    pools = {"architecture": "bert", "add_pooling_type": gguf.PoolingType.MEAN}
    assert described(write_gguf(tmp_path / "b.gguf", **pools)).task is Task.EMBEDDING


def test_gguf_reads_the_same_as_the_library(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "q.gguf", words=1000)
    theirs = gguf.GGUFReader(path)
    found = described(path)
    assert found.weight_bytes == sum(int(tensor.n_bytes) for tensor in theirs.tensors)
    assert found.parameters == sum(int(tensor.n_elements) for tensor in theirs.tensors)


def test_gguf_that_is_cut_is_waited_for(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "q.gguf")
    content = path.read_bytes()
    padding = 24  # behind the last tensor
    for kept in (0, 3, 30, 200, len(content) // 2, len(content) - padding - 1):
        path.write_bytes(content[:kept])
        assert "q.gguf is incomplete" in str(missing(path)), kept


@pytest.mark.parametrize("at", [8, 16])
def test_gguf_with_absurd_counts_costs_nothing(tmp_path: Path, at: int) -> None:
    path = write_gguf(tmp_path / "q.gguf")
    content = bytearray(path.read_bytes())
    content[at : at + 8] = (1 << 60).to_bytes(8, "little")
    path.write_bytes(content)
    assert "q.gguf is incomplete or damaged" in reason(path)


def test_gguf_in_parts_is_one_model(tmp_path: Path) -> None:
    for part in (1, 2):
        write_gguf(tmp_path / "m" / f"q-0000{part}-of-00003.gguf")
    assert (
        reason(tmp_path / "m") == "q-00003-of-00003.gguf is missing (1 of 3 parts): copy it as well"
    )
    write_gguf(tmp_path / "m" / "q-00003-of-00003.gguf")
    found = described(tmp_path / "m")
    assert (found.file, found.weight_bytes) == ("q-00001-of-00003.gguf", 3 * 1416)


def test_weights_alone_are_described(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(models.safetensors(models.TENSORS))
    found = described(tmp_path / "x.safetensors")
    assert (found.format, found.task, found.parameters) == ("safetensors", Task.UNKNOWN, 704)
    assert found.weight_bytes_by_dtype == {"BF16": 1280, "F32": 256}


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    found = described(write_adapter(tmp_path / "style"))
    assert (found.format, found.base_model, found.base_path) == ("lora", "Qwen/Qwen2.5-0.5B", "")
    assert (found.adapter_rank, found.parameters) == (12, 768)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "of kind PREFIX_TUNING, not LORA"),
        ({"use_dora": True}, "merge it into its base model"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"bias": "all"}, "biases"),
        ({"r": 4096}, "a rank from 1 to 512"),
        ({"r": "x"}, "adapter_config.json: r:"),
        ({"base_model_name_or_path": None}, "names no base model"),
    ],
)
def test_adapters_that_no_engine_adds_are_refused(
    tmp_path: Path, config: dict[str, Any], why: str
) -> None:
    assert why in reason(write_adapter(tmp_path / "style", **config))


def test_pickled_adapters_and_models_are_refused(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "style")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    assert "pickled (adapter_model.bin)" in reason(folder)
    folder = models.write_model(tmp_path / "qwen")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "pickled (pytorch_model.bin)" in reason(folder)


def write_classifier(folder: Path) -> Path:
    config = {
        "architectures": ["ViTForImageClassification"],
        "image_size": 32,
        "id2label": {"0": "cat", "1": "dog", "2": "fox"},
    }
    return models.write_model(folder, config=config)


def test_a_classifier_of_images_says_its_images_and_needs_its_preprocessor(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "vit")
    assert "preprocessor_config.json is missing" in reason(folder)
    write_json(folder / "preprocessor_config.json", {})
    found = described(folder)
    assert (found.task, found.runtime) == (Task.VISION, RuntimeKind.RAY_SERVE)
    assert found.inputs == (
        TensorSpec(name="pixel_values", datatype="FP32", shape=(-1, 3, 32, 32)),
    )
    assert found.outputs[0].shape == (-1, 3)


@pytest.mark.parametrize(
    ("config", "quantization"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq 4-bit"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes 4-bit"),
        ({}, ""),
    ],
)
def test_how_weights_are_quantised_is_said(
    tmp_path: Path, config: dict[str, Any], quantization: str
) -> None:
    folder = models.write_model(tmp_path / "q", config={"quantization_config": config})
    assert described(folder).quantization == quantization


def test_packed_weights_count_as_many(tmp_path: Path) -> None:
    quantised = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
    folder = models.write_model(tmp_path / "q", config=quantised)
    weights = models.safetensors({"layer.qweight": ("I32", (8, 64)), "norm": ("F32", (64,))})
    (folder / "model.safetensors").write_bytes(weights)
    assert described(folder).parameters == 8 * 64 * 8 + 64


@pytest.mark.parametrize(
    ("name", "kind"),
    [("saved_model.pb", "TensorFlow"), ("model.h5", "Keras"), ("model.tflite", "TensorFlow Lite")],
)
def test_a_format_that_nothing_here_reads_is_named(tmp_path: Path, name: str, kind: str) -> None:
    expected = f"{name} is a model of {kind}, which is not served here: export it to ONNX, or save"
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / name).write_bytes(b"x")
    assert reason(tmp_path / "it").startswith(expected)
    write_json(tmp_path / "it" / "config.json", models.CONFIG)
    assert reason(tmp_path / "it").startswith(expected)


def test_a_pipeline_of_diffusers_is_named_as_one(tmp_path: Path) -> None:
    write_json(tmp_path / "sd" / "model_index.json", {})
    (tmp_path / "sd" / "a.onnx").touch()
    assert "diffusers pipeline" in reason(tmp_path / "sd")


def test_a_copy_has_the_same_content_and_other_weights_another(tmp_path: Path) -> None:
    prints = set()
    for name in ("a", "b"):
        folder = models.write_model(tmp_path / name)
        (folder / "README.md").write_text(name)
        prints.add(described(folder).content_fingerprint)
    (folder / "model.sig").write_text("{}")
    prints.add(described(folder).content_fingerprint)
    assert len(prints) == 1
    (folder / "model.safetensors").write_bytes(models.safetensors(models.TENSORS)[:-1] + b"\x01")
    assert described(folder).content_fingerprint not in prints


def test_other_arguments_for_the_engine_take_other_memory(tmp_path: Path) -> None:
    folder = models.write_model(tmp_path / "a")
    prints = [described(folder).content_fingerprint]
    for said in ("alias: b", "engine_args: {max-num-seqs: 2}"):
        (folder / "model.yaml").write_text(said)
        prints.append(described(folder).content_fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_large_files_are_told_apart_by_their_pages(tmp_path: Path) -> None:
    size = 8 << 20
    prints = []
    for name, at in (("a", 0), ("b", 0), ("c", size // 2)):
        path = tmp_path / f"{name}.safetensors"
        content = bytearray(models.safetensors({"w": ("F32", (size // 4,))}))
        if at:
            content[-at] = 1
        path.write_bytes(content)
        prints.append(described(path).content_fingerprint)
    assert prints[0] == prints[1] != prints[2]
