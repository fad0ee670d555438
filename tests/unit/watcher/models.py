"""Writes small model folders."""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "max_position_embeddings": 2048,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 64,
}
TENSORS = {"embed": ("BF16", (10, 64)), "norm": ("F32", (64,))}
TOKENIZER: dict[str, Any] = {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
BYTES_OF = {"BF16": 2, "F32": 4, "I32": 4}


def safetensors(tensors: Mapping[str, tuple[str, Sequence[int]]]) -> bytes:
    """A weight file of which no byte is zero."""
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES_OF[dtype]
        for length in shape:
            size *= length
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\x02" * end


def write_model(folder: Path, *, config: dict[str, Any] | None = None) -> Path:
    """A complete chat model."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | (config or {})))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    (folder / "model.safetensors").write_bytes(safetensors(TENSORS))
    return folder


def write_sharded_model(folder: Path, *, without: str = "") -> Path:
    """A complete model in two weight files, but for the one left out."""
    write_model(folder)
    (folder / "model.safetensors").unlink()
    shards = {
        "embed": "model-00001-of-00002.safetensors",
        "norm": "model-00002-of-00002.safetensors",
    }
    index = {"weight_map": shards}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for tensor, name in shards.items():
        if name != without:
            (folder / name).write_bytes(safetensors({tensor: TENSORS[tensor]}))
    return folder
