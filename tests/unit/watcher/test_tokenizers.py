"""Which files can be a tokenizer, and who needs one."""

from pathlib import Path

import pytest

from modelium.common.descriptor import Task
from modelium.watcher.tokenizers import lacks_tokenizer

from . import models
from .formats.files import described, reason


def lacks(*names: str, task: Task = Task.EMBEDDING, by: str = "BertModel", kind: str = "") -> bool:
    return lacks_tokenizer({"config.json", *names}, task, by, kind)


@pytest.mark.parametrize(
    "names",
    [
        ("tokenizer.json",),
        ("vocab.txt",),
        ("tokenizer.model",),
        ("tokenizer.model.v3",),
        ("tokenizer.mm.model",),
        ("spiece.model",),
        ("sentencepiece.bpe.model",),
        ("vocab.json", "merges.txt"),
        ("vocab.json", "source.spm"),
        ("tekken.json",),
        ("qwen.tiktoken",),
        ("tiktoken.model",),
        ("ice_text.model",),
        ("rwkv_vocab_v20230424.txt",),
        ("prophetnet.tokenizer",),
        ("modules.json", "0_Transformer/tokenizer.json"),
    ],
)
def test_what_transformers_and_vllm_read_is_one(names: tuple[str, ...]) -> None:
    assert not lacks(*names)


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        ("vocab.json",),
        ("merges.txt",),
        ("tokenizer.py",),
        ("onnx/tokenizer.json",),
        ("original/tokenizer.model",),
    ],
)
def test_what_only_goes_with_one_is_none(names: tuple[str, ...]) -> None:
    assert lacks(*names)


def test_who_reads_no_text_or_reads_bytes_needs_none() -> None:
    assert not lacks(task=Task.VISION)
    assert not lacks(task=Task.TRANSCRIPTION)
    assert not lacks("preprocessor_config.json", task=Task.CLASSIFY)
    assert not lacks(by="CanineModel")
    assert not lacks(by="T5EncoderModel", kind="ByT5Tokenizer")
    assert lacks("preprocessor_config.json", task=Task.CHAT)


@pytest.mark.parametrize("architecture", ["Qwen2ForCausalLM", "BertModel", "DistilBertModel"])
def test_the_analysis_refuses_a_model_without_one(tmp_path: Path, architecture: str) -> None:
    folder = models.write_model(tmp_path / "it", config={"architectures": [architecture]})
    assert described(folder).missing == ()
    (folder / "tokenizer.json").unlink()
    assert reason(folder) == "its tokenizer is missing (tokenizer.json): copy it as well"
