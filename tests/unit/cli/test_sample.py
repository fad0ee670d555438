"""The sample model's files, without an engine; tests/e2e/test_vllm.py serves them for real."""

import json
from pathlib import Path

from safetensors import safe_open

from modelium.cli.sample import SPECIALS, WORDS, write_sample_model


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_weights(tmp_path: Path) -> None:
    first, same, other = (
        write_sample_model(tmp_path / name, seed=seed)
        for name, seed in (("first", 0), ("same", 0), ("other", 1))
    )
    for file in first.iterdir():
        assert file.read_bytes() == (same / file.name).read_bytes()
    assert (first / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_every_file_can_be_read_by_another_user(tmp_path: Path) -> None:
    folder = write_sample_model(tmp_path / "sample")
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {
        name: "0o644"
        for name in (
            "config.json",
            "generation_config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        )
    }


def test_the_weights_have_the_shapes_that_the_configuration_says(tmp_path: Path) -> None:
    folder = write_sample_model(tmp_path / "sample", layers=3)
    config = json.loads((folder / "config.json").read_text())
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
    hidden = config["hidden_size"]
    assert shapes["model.embed_tokens.weight"] == [config["vocab_size"], hidden]
    assert shapes["lm_head.weight"] == [config["vocab_size"], hidden]
    assert shapes["model.layers.2.mlp.down_proj.weight"] == [hidden, config["intermediate_size"]]
    assert config["num_hidden_layers"] == 3
    assert len(shapes) == 3 + 3 * 12


def test_the_vocabulary_has_every_byte_every_word_and_the_special_tokens(tmp_path: Path) -> None:
    folder = write_sample_model(tmp_path / "sample")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    assert len([token for token in vocabulary if len(token) == 1]) == 256
    assert all(f"Ġ{word}" in vocabulary for word in WORDS)
    assert [token["content"] for token in tokenizer["added_tokens"]] == list(SPECIALS)
    ids = [*vocabulary.values(), *(token["id"] for token in tokenizer["added_tokens"])]
    assert sorted(ids) == list(range(len(ids)))


def test_every_merge_joins_known_tokens_into_a_known_token(tmp_path: Path) -> None:
    folder = write_sample_model(tmp_path / "sample")
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    for merge in model["merges"]:
        left, right = merge.split(" ")
        assert {left, right, left + right} <= model["vocab"].keys()
