"""What is read of config.json."""

import json
from typing import Any

import pytest

from modelium.common.descriptor import Task
from modelium.common.errors import InvalidModel
from modelium.watcher.hf_config import has_chat_template, parse_config, task_of

from . import models


def parse(**changes: Any) -> Any:
    return parse_config(json.dumps(models.CONFIG | changes).encode())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 2 * 2 * 2 * 16 * 2),
        ({"head_dim": 128}, 2 * 2 * 2 * 128 * 2),
        ({"num_key_value_heads": None}, 2 * 2 * 4 * 16 * 2),
        ({"num_hidden_layers": 0}, 0),
        ({"num_attention_heads": 0, "num_key_value_heads": None}, 0),
    ],
)
def test_kv_bytes_per_token(changes: dict[str, Any], expected: int) -> None:
    assert parse(**changes)[1].kv_bytes_per_token == expected


def test_gpt2_spells_its_sizes_in_its_own_way() -> None:
    gpt2 = {"architectures": ["GPT2LMHeadModel"], "n_positions": 1024, "n_layer": 12}
    sizes = parse_config(json.dumps(gpt2 | {"n_head": 12, "n_embd": 768}).encode())[1]
    assert (sizes.context_length, sizes.kv_bytes_per_token) == (1024, 12 * 2 * 12 * 64 * 2)


def test_the_sizes_of_a_model_of_several_parts_are_those_of_its_text_part() -> None:
    sizes = parse(text_config={"max_position_embeddings": 99, "num_hidden_layers": 1})[1]
    assert sizes.context_length == 99


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "config.json: Invalid JSON"),
        (b"[" * 100_000, "config.json: Invalid JSON"),
        (b"[]", "config.json: Input should be an object"),
        (b'{"architectures": []}', "names no architecture"),
        (b'{"architectures": ["A"], "num_hidden_layers": "x"}', "config.json: num_hidden_layers"),
        (b'{"architectures": ["A"], "auto_map": {"AutoModel": "m.M"}}', "code of its own"),
    ],
)
def test_a_wrong_config_is_rejected_with_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidModel, match=reason):
        parse_config(text)


@pytest.mark.parametrize(
    ("tokenizer", "own_file", "chat"),
    [
        (b'{"chat_template": "{{ x }}"}', False, True),
        (b'{"chat_template": [{"name": "default", "template": "x"}]}', False, True),
        (b"{}", True, True),
        (b"{}", False, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_chat_templates_are_found(tokenizer: bytes | None, own_file: bool, chat: bool) -> None:
    assert has_chat_template(tokenizer, in_own_file=own_file) is chat


def test_a_tokenizer_with_code_of_its_own_is_rejected() -> None:
    with pytest.raises(InvalidModel, match=r"tokenizer_config.json asks to run code"):
        has_chat_template(b'{"auto_map": {"AutoTokenizer": ["t.T"]}}', in_own_file=False)


@pytest.mark.parametrize(
    ("architecture", "chat", "task"),
    [
        ("Qwen2ForCausalLM", True, Task.CHAT),
        ("Qwen2ForCausalLM", False, Task.COMPLETION),
        ("BertForSequenceClassification", False, Task.CLASSIFY),
        ("BertModel", False, Task.UNKNOWN),
    ],
)
def test_the_architecture_tells_the_task(architecture: str, chat: bool, task: Task) -> None:
    assert task_of(architecture, chat=chat) is task


@pytest.mark.parametrize(
    ("changes", "task"),
    [
        ({}, Task.CLASSIFY),
        ({"id2label": {"0": "NO", "1": "YES"}}, Task.CLASSIFY),
        ({"id2label": {"0": "LABEL_0"}}, Task.RERANK),
        ({"num_labels": 1}, Task.RERANK),
        ({"num_labels": 3}, Task.CLASSIFY),
    ],
)
def test_a_classifier_with_one_label_ranks(changes: dict[str, Any], task: Task) -> None:
    config = parse(architectures=["BertForSequenceClassification"], **changes)[0]
    assert task_of("BertForSequenceClassification", chat=False, labels=config.labels) is task
