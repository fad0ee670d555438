"""Writes a tiny model that a real engine serves: Qwen2 with two layers and random weights.

Only the standard library is used, so `modelium up` has something to show on a machine without
torch, and tests have a real model in a tenth of a second. It answers with words, not with sense:
every hidden state carries a constant in its first dimension, by which the output layer prefers
the words of `WORDS` to the bytes and fragments that the tokenizer needs as well.
"""

import json
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

WORD_LIST = (
    "a all and answer ask back cold come day drop fast file for free from give good here hold is "
    "it keep last load long make me model more new no of on one open out put read run say see "
    "slow small some speak the then this time to two wait wake warm we with word work you"
)
WORDS = WORD_LIST.split(" ")
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CONSTANT = 8.0
"""Value of the first hidden dimension; the others are about 1."""
AVERSION = -3.0
"""Weight of that dimension for a token that is no word."""
RELUCTANCE = -0.5
"""The same for the end of the answer, which then comes after some dozens of words."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network; the head size is one that CPU attention kernels know."""

    vocabulary: int
    hidden: int = 64
    heads: int = 2
    intermediate: int = 128
    layers: int = 2
    context: int = 2048


def write_sample_model(
    folder: Path, *, seed: int = 0, layers: int = 2, context_length: int = 2048
) -> Path:
    """Write the model's files into `folder` (made if missing) and return it.

    The same arguments give the same bytes; another seed gives another model of the same size.
    """
    tokens, merges = _vocabulary()
    shape = Shape(vocabulary=len(tokens), layers=layers, context=context_length)
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", _config(shape, tokens))
    _write_json(folder / "generation_config.json", _generation_config(tokens))
    _write_json(folder / "tokenizer.json", _tokenizer(tokens, merges))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(shape))
    weights = folder / "model.safetensors"
    weights.write_bytes(_safetensors(dict(_tensors(shape, tokens, Random(seed)))))
    weights.chmod(0o644)
    return folder


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.chmod(0o644)  # engines in containers read it as another user


def _byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes in byte-level BPE, in the order of the bytes."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (n for n in range(256) if n not in printable)
    stand_ins = {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [stand_ins.get(byte, chr(byte)) for byte in range(256)]


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token ids, and the merges that build each word from a space and its letters."""
    alphabet = _byte_alphabet()
    space = alphabet[ord(" ")]
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        parts = list(accumulate(space + word))
        merges |= {(left, letter): None for left, letter in zip(parts, word, strict=False)}
    tokens = [*alphabet, *(left + right for left, right in merges), *SPECIALS]
    return {token: number for number, token in enumerate(tokens)}, list(merges)


def _config(shape: Shape, tokens: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": shape.context,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "use_cache": True,
        "bos_token_id": tokens["<|endoftext|>"],
        "eos_token_id": tokens["<|im_end|>"],
        "torch_dtype": "float32",
    }


def _generation_config(tokens: dict[str, int]) -> dict[str, Any]:
    return {
        "do_sample": True,
        "temperature": 0.7,
        "eos_token_id": [tokens["<|im_end|>"], tokens["<|endoftext|>"]],
        "pad_token_id": tokens["<|endoftext|>"],
    }


def _tokenizer(tokens: dict[str, int], merges: list[tuple[str, str]]) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": tokens[name], "content": name, **flags, "special": True} for name in SPECIALS
        ],
        "normalizer": None,
        "pre_tokenizer": {**byte_level, "use_regex": True},
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {name: n for name, n in tokens.items() if name not in SPECIALS},
            "merges": [f"{left} {right}" for left, right in merges],
        },
    }


def _tokenizer_config(shape: Shape) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }


Tensor = tuple[tuple[int, ...], "array[float]"]
"""Shape and values, row by row."""


def _tensors(shape: Shape, tokens: dict[str, int], random: Random) -> Iterator[tuple[str, Tensor]]:
    """Every weight of the network by its name in the format, row by row."""
    yield "model.embed_tokens.weight", _embedding(shape, random)
    for layer in range(shape.layers):
        for name, tensor in _layer(shape, random):
            yield f"model.layers.{layer}.{name}", tensor
    yield "model.norm.weight", _ones(shape.hidden)
    yield "lm_head.weight", _output(shape, tokens, random)


def _layer(shape: Shape, random: Random) -> Iterator[tuple[str, Tensor]]:
    hidden, wide = shape.hidden, shape.intermediate
    yield "input_layernorm.weight", _ones(hidden)
    yield "post_attention_layernorm.weight", _ones(hidden)
    for name in ("q", "k", "v"):
        yield f"self_attn.{name}_proj.weight", _normal(random, hidden, hidden)
        yield f"self_attn.{name}_proj.bias", ((hidden,), array("f", [0.0] * hidden))
    yield "self_attn.o_proj.weight", _keeping_constant(_normal(random, hidden, hidden))
    yield "mlp.gate_proj.weight", _normal(random, wide, hidden)
    yield "mlp.up_proj.weight", _normal(random, wide, hidden)
    yield "mlp.down_proj.weight", _keeping_constant(_normal(random, hidden, wide))


def _ones(size: int) -> Tensor:
    return (size,), array("f", [1.0] * size)


def _normal(random: Random, rows: int, columns: int) -> Tensor:
    """Normal values, scaled so that a layer's output is about as large as its input."""
    spread = columns**-0.5
    return (rows, columns), array("f", (random.gauss(0.0, spread) for _ in range(rows * columns)))


def _keeping_constant(tensor: Tensor) -> Tensor:
    """`tensor` without an influence on the first hidden dimension."""
    size, values = tensor
    values[: size[1]] = array("f", [0.0] * size[1])
    return tensor


def _embedding(shape: Shape, random: Random) -> Tensor:
    count = shape.vocabulary * shape.hidden
    values = array("f", (random.gauss(0.0, 1.0) for _ in range(count)))
    for row in range(shape.vocabulary):
        values[row * shape.hidden] = CONSTANT
    return (shape.vocabulary, shape.hidden), values


def _output(shape: Shape, tokens: dict[str, int], random: Random) -> Tensor:
    size, values = _normal(random, shape.vocabulary, shape.hidden)
    space = _byte_alphabet()[ord(" ")]
    wanted = {tokens[space + word]: 0.0 for word in WORDS} | {tokens["<|im_end|>"]: RELUCTANCE}
    for row in range(shape.vocabulary):
        values[row * shape.hidden] = wanted.get(row, AVERSION)
    return size, values


def _safetensors(tensors: dict[str, Tensor]) -> bytes:
    """The file: the header's length, the header as JSON, then all values, little-endian."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, (size, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        end = len(body) + len(raw)
        header[name] = {"dtype": "F32", "shape": size, "data_offsets": [len(body), end]}
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)
