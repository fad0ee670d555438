"""What is read of config.json."""

import json
from typing import Any

import pytest

from modelium.common.errors import InvalidModel
from modelium.watcher.hf_config import has_chat_template, longest_text, parse_config

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


@pytest.mark.parametrize(
    ("tokenizer", "tokens"),
    [
        (b'{"model_max_length": 512}', 512),
        (b'{"model_max_length": 1000000000000000019884624838656}', 0),
        (b'{"model_max_length": "many"}', 0),
        (b'{"model_max_length": -1}', 0),
        (b"{}", 0),
        (None, 0),
    ],
)
def test_the_longest_text_of_a_tokenizer(tokenizer: bytes | None, tokens: int) -> None:
    assert longest_text(tokenizer) == tokens


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, 2),
        ({"id2label": {"0": "NO", "1": "YES"}}, 2),
        ({"id2label": {"0": "LABEL_0"}}, 1),
        ({"num_labels": 1}, 1),
        ({"num_labels": 3}, 3),
    ],
)
def test_the_labels_of_a_classifier(changes: dict[str, Any], labels: int) -> None:
    assert parse(**changes)[0].labels == labels


def test_a_model_that_sees_or_hears_has_parts() -> None:
    assert not parse()[0].has_parts
    for part in ("text_config", "vision_config", "audio_config"):
        assert parse(**{part: {"hidden_size": 8}})[0].has_parts


def test_whisper_spells_its_context_in_its_own_way() -> None:
    whisper = {"architectures": ["WhisperForConditionalGeneration"], "max_target_positions": 448}
    assert parse_config(json.dumps(whisper).encode())[1].context_length == 448
