"""Bytes of model files, by hand where no library would write them."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from tests.unit.watcher import models

TORCH = Path(__file__).parents[3] / "fixtures" / "torch"
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY, UINT64, FLOAT64 = 4, 5, 6, 7, 8, 9, 10, 12
"""Types of GGUF's values."""


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def folder(path: Path, files: Mapping[str, Any] = {}, /, **config: Any) -> Path:
    """A good transformers folder, but for what is changed; None leaves a file out."""
    models.write_model(path, config=config)
    for name, content in files.items():
        if content is None:
            (path / name).unlink()
        else:
            plain = content if isinstance(content, bytes | str) else json.dumps(content)
            write(path / name, plain)
    return path


# Pickles: opcodes as text.


def call(module: str, name: str, argument: str = "true") -> bytes:
    """A pickle that calls a function when it is loaded."""
    said = argument.encode()
    return (
        f"\x80\x02c{module}\n{name}\n".encode("latin1")
        + b"X"
        + struct.pack("<I", len(said))
        + said
        + b"\x85R."
    )


def call_by_stack(module: str, name: str) -> bytes:
    """The same with the names on the stack, as protocol 4 has it."""
    words = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
    return b"\x80\x04" + words + b"\x93\x8c\x04true\x85R."


HARMLESS = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s."
REMEMBERED = (
    # The second pickle begins to count anew what it remembers; a reader of both together is misled.
    b"\x80\x04\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94."
    + b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x940h\x00\x8c\x06system\x93\x8c\x04true\x85R."
)


def archive(
    entries: Mapping[str, bytes], *, method: int = zipfile.ZIP_STORED, twice: str = ""
) -> bytes:
    """A zip archive; the entry `twice` is written a second time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
        if twice:
            opened.writestr(twice, HARMLESS)
    return made.getvalue()


def torch(name: str, changes: Mapping[str, bytes] = {}, /) -> bytes:
    """A file that torch has written, with some entries changed or added."""
    with zipfile.ZipFile(TORCH / name) as opened:
        entries = {it: opened.read(it) for it in opened.namelist()}
    root = next(iter(entries)).partition("/")[0]
    return archive(entries | {f"{root}/{entry}": it for entry, it in changes.items()})


# GGUF.


def text(value: str) -> bytes:
    said = value.encode()
    return struct.pack("<Q", len(said)) + said


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little")


def array(kind: int, count: int, values: bytes) -> bytes:
    return number(kind) + number(count, 8) + values


GGUF_KEYS: Sequence[bytes] = (
    key("general.architecture", STRING, text("llama")),
    key("llama.context_length", UINT32, number(2048)),
    key("llama.block_count", UINT32, number(2)),
    key("llama.embedding_length", UINT32, number(64)),
    key("llama.attention.head_count", UINT32, number(4)),
    key("llama.attention.head_count_kv", UINT32, number(2)),
    key("tokenizer.ggml.tokens", ARRAY, array(STRING, 3, text("a") + text("b") + text("c"))),
)


def gguf(
    *more: bytes, version: int = 3, tensors: int | None = None, keys: int | None = None,
    align: int = 32, shape: Sequence[int] = (32, 4), offset: int = 0, data: int = 512,
) -> bytes:  # fmt: skip
    """A small language model in GGUF with one F32 tensor, and `more` keys."""
    said = (*GGUF_KEYS, *more)
    head = b"GGUF" + struct.pack(
        "<IQQ", version, 1 if tensors is None else tensors, len(said) if keys is None else keys
    )
    head += b"".join(said)
    head += text("token_embd.weight") + number(len(shape))
    head += b"".join(number(length, 8) for length in shape) + number(0) + number(offset, 8)
    return head + bytes(-len(head) % align) + bytes(data)


# ONNX.


def graph(
    *,
    location: str | None = None,
    offset: int | str = 0,
    length: int | str = 16,
    in_node: bool = False,
    **more: Any,
) -> onnx.ModelProto:
    """`y = x + w`, where `w` may lie in another file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4], [1.0] * 4)
    if location is not None:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        for name, value in (("location", location), ("offset", offset), ("length", length)):
            entry = weight.external_data.add()
            entry.key, entry.value = name, str(value)
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    if in_node:
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    weights = [] if in_node else [weight]
    made = helper.make_graph(nodes, "sum", sides[:1], sides[1:], weights)
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(made, opset_imports=opset, ir_version=9, **more)


def onnx_file(**said: Any) -> bytes:
    return bytes(graph(**said).SerializeToString())


# safetensors.


def safetensors(header: bytes | Mapping[str, Any], data: int = 64) -> bytes:
    said = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(said)) + said + bytes(data)


def tensor(begin: int = 0, end: int = 64, dtype: str = "F32", shape: Sequence[int] = (16,)) -> Any:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
