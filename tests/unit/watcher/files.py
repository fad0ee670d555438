"""Bytes of small weight files of every format; the same for the same seed."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
from gguf import GGUFWriter
from onnx import TensorProto, helper

from . import models

ENTRY_AT = (1980, 1, 1, 0, 0, 0)


def values(random: Random, count: int) -> bytes:
    """Numbers of which none is zero."""
    return struct.pack(f"<{count}f", *(random.uniform(0.5, 2) for _ in range(count)))


def safetensors(random: Random, *, tensors: int = 3) -> bytes:
    header, body = {}, b""
    for number in range(tensors):
        raw = values(random, random.randint(20, 400))
        offsets = [len(body), len(body) + len(raw)]
        header[f"layer.{number}"] = {
            "dtype": "F32",
            "shape": [len(raw) // 4],
            "data_offsets": offsets,
        }
        body += raw
    text = json.dumps({"__metadata__": {'a "quoted" "data_offsets":[0,9]': "x"}, **header})
    return struct.pack("<Q", len(text)) + text.encode() + body


def gguf(random: Random, folder: Path) -> bytes:
    """By the format's own library, which writes files only."""
    path = folder / "made.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_token_list([f"token {n}" for n in range(20)])
    for number in range(2):
        array = np.frombuffer(values(random, 64), dtype=np.float32).reshape(8, 8)
        writer.add_tensor(f"blk.{number}.weight", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    made = path.read_bytes()
    path.unlink()
    return made


def onnx(random: Random, *, location: str = "", length: int = 0) -> bytes:
    """One matrix product; its matrix in another file if that has a name."""
    matrix = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[8, 8])
    if location:
        matrix.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "offset": "0", "length": str(length)}.items():
            matrix.external_data.add(key=key, value=value)
    else:
        matrix.raw_data = values(random, 64)
    shape = (TensorProto.FLOAT, [1, 8])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", *shape)],
        [helper.make_tensor_value_info("y", *shape)],
        [matrix],
    )
    made: bytes = helper.make_model(graph).SerializeToString()
    return made


def archive(random: Random, *, values_in_it: int = 300) -> bytes:
    """As PyTorch lays it out; nothing unpickles it here."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as entries:
        for name, text in (("data.pkl", b"\x80\x02}."), ("data/0", values(random, values_in_it))):
            entries.writestr(zipfile.ZipInfo(f"model/{name}", ENTRY_AT), text)
    return file.getvalue()


def pool(folder: Path) -> dict[str, list[Mapping[str, bytes]]]:
    """Four versions of every kind of model."""
    random = Random(20)
    found: dict[str, list[Mapping[str, bytes]]] = {}
    for _ in range(4):
        config = json.dumps(models.CONFIG | {"version": random.random()}).encode()
        tokenizer = json.dumps(models.TOKENIZER).encode()
        first, second = safetensors(random), safetensors(random, tensors=1)
        names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
        index = json.dumps({"weight_map": {"a": names[0], "b": names[1]}}).encode()
        outside = {"location": "w.data", "length": 256}
        made: dict[str, Mapping[str, bytes]] = {
            "folder": {
                "config.json": config,
                "tokenizer.json": tokenizer,
                "model.safetensors": first,
            },
            "folder in parts": {
                "config.json": config,
                "tokenizer.json": tokenizer,
                "model.safetensors.index.json": index,
                names[0]: first,
                names[1]: second,
            },
            "adapter": {"adapter_config.json": config, "adapter_model.safetensors": first},
            "folder of ONNX": {
                "model.onnx": onnx(random, **outside),
                "w.data": values(random, 64),
            },
            "file .gguf": {".gguf": gguf(random, folder)},
            "file .onnx": {".onnx": onnx(random)},
            "file .pt2": {".pt2": archive(random)},
            "folder of PyTorch": {"model.pt2": archive(random, values_in_it=9000)},
        }
        for kind, contents in made.items():
            found.setdefault(kind, []).append(contents)
    return found
