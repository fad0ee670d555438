"""Folders of models that embed, rank and classify."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.errors import InvalidModel
from modelium.core.runtimes import choose
from modelium.watcher.filesystem import ModelFolders

from . import models
from .analysts import InThisProcess

LIBRARY = "sentence_transformers.models"
MEAN = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
Files = dict[str, Any]


def folder_of(*kinds: str, library: str = LIBRARY) -> list[dict[str, str]]:
    """A `modules.json`; the first module is the transformer in the folder itself."""
    return [
        {"type": f"{library}.{kind}", "path": f"{number}_{kind}" if number else ""}
        for number, kind in enumerate(kinds)
    ]


EMBEDDER: Files = {
    "modules.json": folder_of("Transformer", "Pooling", "Normalize"),
    "1_Pooling/config.json": MEAN,
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
}


def write_folder(root: Path, architecture: str, files: Files, **config: Any) -> Path:
    """A folder with these files beside config.json, tokenizer and weights."""
    path = models.write_model(root / "model", config={"architectures": [architecture], **config})
    (path / "tokenizer_config.json").write_text('{"model_max_length": 512}')
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


async def analysed(root: Path, architecture: str, files: Files, **config: Any) -> Descriptor:
    """What is found in such a folder."""
    path = write_folder(root, architecture, files, **config)
    folders = ModelFolders(
        [root], supported=[".safetensors"], read_by_others=False, analyst=InThisProcess()
    )
    return await folders.analyse((await folders.look(str(path))).candidate)


def served_by(found: Descriptor) -> RuntimeKind | None:
    """With both runtimes there."""
    return choose(found, frozenset(RuntimeKind)).runtime


async def test_a_sentence_transformer_is_an_embedding_model_that_keeps_no_cache(
    tmp_path: Path,
) -> None:
    found = await analysed(tmp_path, "BertModel", EMBEDDER, max_position_embeddings=512)
    assert (found.task, served_by(found)) == (Task.EMBEDDING, RuntimeKind.VLLM)
    assert found.context_length == 256
    assert found.keeps_no_cache
    assert found.kv_bytes_per_token == 0


async def test_a_language_model_with_pooling_embeds_and_keeps_its_cache(tmp_path: Path) -> None:
    files = {
        "modules.json": folder_of("Transformer", "Pooling", "Normalize"),
        "1_Pooling/config.json": {"pooling_mode": "lasttoken"},
    }
    found = await analysed(tmp_path, "Qwen3ForCausalLM", files)
    assert (found.task, served_by(found)) == (Task.EMBEDDING, RuntimeKind.VLLM)
    assert found.context_length == 2048  # its tokenizer's 512 bind only learned positions
    assert not found.keeps_no_cache
    assert found.kv_bytes_per_token > 0


@pytest.mark.parametrize(
    ("architecture", "config", "tokens"),
    [
        ("BertModel", {"max_position_embeddings": 512}, 512),
        ("BertModel", {"max_position_embeddings": 8192}, 512),  # the tokenizer's
        ("XLMRobertaModel", {"max_position_embeddings": 130, "pad_token_id": 1}, 128),
    ],
)
async def test_a_text_is_no_longer_than_the_table_of_positions_and_the_tokenizer_allow(
    tmp_path: Path, architecture: str, config: dict[str, Any], tokens: int
) -> None:
    assert (await analysed(tmp_path, architecture, {}, **config)).context_length == tokens


async def test_the_longest_sentence_may_not_go_beyond_the_table_of_positions(
    tmp_path: Path,
) -> None:
    files = EMBEDDER | {"sentence_bert_config.json": {"max_seq_length": 1024}}
    found = await analysed(tmp_path, "BertModel", files, max_position_embeddings=384)
    assert found.context_length == 384


@pytest.mark.parametrize(
    ("files", "labels", "task"),
    [
        ({}, 1, Task.RERANK),
        ({}, 3, Task.CLASSIFY),
        ({"modules.json": folder_of("Transformer")}, 1, Task.RERANK),
    ],
)
async def test_a_cross_encoder_with_one_label_ranks(
    tmp_path: Path, files: Files, labels: int, task: Task
) -> None:
    found = await analysed(tmp_path, "BertForSequenceClassification", files, num_labels=labels)
    assert (found.task, served_by(found)) == (task, RuntimeKind.VLLM)


@pytest.mark.parametrize(
    ("modules", "more"),
    [
        (["Transformer", "Pooling"], {"1_Pooling/config.json": {"pooling_mode": "max"}}),
        (
            ["Transformer", "Pooling"],
            {"1_Pooling/config.json": MEAN | {"pooling_mode_cls_token": True}},
        ),
        (["Transformer", "Pooling"], {"1_Pooling/config.json": {}}),
        (["Transformer", "WeightedLayerPooling", "Pooling"], {"2_Pooling/config.json": MEAN}),
        (["Transformer", "LSTM", "Pooling"], {"2_Pooling/config.json": MEAN}),
        (
            ["Transformer", "Pooling", "Dense"],
            {
                "1_Pooling/config.json": MEAN,
                "2_Dense/config.json": {"activation_function": "torch.nn.modules.activation.Mish"},
                "2_Dense/model.safetensors": models.safetensors(models.TENSORS),
            },
        ),
    ],
    ids=["max", "two-modes", "no-mode", "layers", "lstm", "mish"],
)
async def test_what_vllm_would_compute_in_another_way_goes_to_the_general_runtime(
    tmp_path: Path, modules: list[str], more: Files
) -> None:
    found = await analysed(tmp_path, "BertModel", {"modules.json": folder_of(*modules), **more})
    assert (found.task, served_by(found)) == (Task.EMBEDDING, RuntimeKind.RAY_SERVE)


@pytest.mark.parametrize(
    "architecture", ["MPNetModel", "DistilBertModel", "T5EncoderModel", "BertForMaskedLM"]
)
async def test_so_does_an_encoder_that_vllm_cannot_compute(
    tmp_path: Path, architecture: str
) -> None:
    found = await analysed(tmp_path, architecture, EMBEDDER)
    assert (found.task, served_by(found)) == (Task.EMBEDDING, RuntimeKind.RAY_SERVE)


async def test_dense_layers_after_pooling_are_served(tmp_path: Path) -> None:
    files = {
        "modules.json": folder_of("Transformer", "Pooling", "Dense", "Dropout", "Normalize"),
        "1_Pooling/config.json": {"pooling_mode_cls_token": True},
        "2_Dense/config.json": {"activation_function": "torch.nn.modules.activation.Tanh"},
        "2_Dense/model.safetensors": models.safetensors(models.TENSORS),
    }
    assert served_by(await analysed(tmp_path, "BertModel", files)) is RuntimeKind.VLLM


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"modules.json": folder_of("Transformer", library="custom_st")}, "run code.*custom_st"),
        ({"modules.json": folder_of("Transformer", "SpladePooling")}, "SpladePooling, a sparse"),
        ({"modules.json": folder_of("Transformer", "LogitScore")}, "ForSequenceClassification"),
        ({"modules.json": folder_of("StaticEmbedding")}, "a table of vectors"),
        ({"modules.json": folder_of("CLIPModel")}, "names no Transformer, but CLIPModel"),
        ({"modules.json": []}, "names no Transformer, but nothing"),
        ({"modules.json": {"a": 1}}, "is no list of modules"),
        ({"modules.json": b"[" * 9999}, "nests too deep"),
        ({"modules.json": folder_of("Transformer", "Pooling")}, "1_Pooling/config.json is missing"),
        (EMBEDDER | {"1_Pooling/config.json": b"x"}, "1_Pooling/config.json is no JSON"),
        (
            EMBEDDER | {"sentence_bert_config.json": {"max_seq_length": -1}},
            "sentence_bert_config.json: max_seq_length",
        ),
        (
            {
                "modules.json": folder_of("Transformer", "Pooling", "Dense"),
                "1_Pooling/config.json": MEAN,
                "2_Dense/config.json": {},
                "2_Dense/pytorch_model.bin": b"\x80\x02}.",
            },
            "2_Dense/model.safetensors is missing",
        ),
    ],
)
async def test_what_no_engine_serves_is_rejected_with_what_would_help(
    tmp_path: Path, files: Files, reason: str
) -> None:
    with pytest.raises(InvalidModel, match=reason):
        await analysed(tmp_path, "BertModel", files)


async def test_a_reranker_that_nothing_serves_says_so(tmp_path: Path) -> None:
    found = await analysed(tmp_path, "DebertaV2ForSequenceClassification", {}, num_labels=1)
    choice = choose(found, frozenset(RuntimeKind))
    assert choice.runtime is None
    assert "vLLM does not compute DebertaV2ForSequenceClassification" in choice.reason


@pytest.mark.parametrize(
    ("files", "lacks"),
    [
        ({"modules.json": folder_of("Transformer", "Pooling")}, "1_Pooling/config.json is missing"),
        ({"modules.json": b'[{"type": "sentence_tr'}, "modules.json is incomplete"),
        (EMBEDDER, None),
        # No more files can help, so there is nothing to wait for: analysis says what is wrong.
        ({"modules.json": folder_of("Transformer", "SpladePooling")}, None),
    ],
)
async def test_a_folder_that_is_still_copied_waits_for_what_its_modules_name(
    tmp_path: Path, files: Files, lacks: str | None
) -> None:
    path = write_folder(tmp_path, "BertModel", files)
    folders = ModelFolders(
        [tmp_path], supported=[".safetensors"], read_by_others=False, analyst=InThisProcess()
    )
    verdict = await folders.inspect((await folders.look(str(path))).candidate)
    assert lacks in verdict.missing if lacks and verdict.missing else verdict.missing == lacks
