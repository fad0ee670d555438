"""GGUF: weights, tokenizer and settings in one file or numbered parts, as llama.cpp has it."""

import re
from collections import Counter
from typing import Final

import gguf

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import Files, unreadable
from modelium.watcher.formats.gguf_header import DAMAGED, Header

_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_KV_BYTES: Final = 2


def describe(files: Files, name: str) -> Descriptor:
    """What its header says; `name` is the first part of several.

    Raises:
        InvalidModel: it is damaged, or a part is missing.
    """
    first = _header(files, name)
    headers = [first, *(_header(files, part) for part in parts_of(files, name)[1:])]
    elements: Counter[str] = Counter()
    size_bytes: Counter[str] = Counter()
    for tensor in (tensor for header in headers for tensor in header.tensors):
        elements[tensor.tensor_type.name] += int(tensor.n_elements)
        size_bytes[tensor.tensor_type.name] += int(tensor.n_bytes)
    dtype = size_bytes.most_common(1)[0][0] if size_bytes else ""
    architecture = first.text("general.architecture")
    chat = "tokenizer.chat_template" in first.fields
    return Descriptor(
        format="gguf",
        framework="llama.cpp",
        architecture=architecture,
        task=_task(first, architecture, chat=chat),
        runtime=RuntimeKind.VLLM,
        dtype=dtype,
        quantization=_quantization(first, dtype),
        parameters=elements.total(),
        weight_bytes=size_bytes.total(),
        weight_bytes_by_dtype=dict(size_bytes),
        context_length=first.number(f"{architecture}.context_length"),
        kv_bytes_per_token=_kv_bytes_per_token(first, architecture),
        attention_heads=first.number(f"{architecture}.attention.head_count"),
        kv_heads=first.number(f"{architecture}.attention.head_count_kv"),
        has_chat_template=chat,
    )


def parts_of(files: Files, name: str) -> list[str]:
    """All parts of a model of which `name` is one.

    Raises:
        InvalidModel: one is not there.
    """
    found = _PART.search(name)
    if not found:
        return [name]
    count = int(found[2])
    if count > 1000:
        raise InvalidModel(f"{name} says that it is one of {count} parts")
    parts = [f"{name[: found.start()]}-{n:05}-of-{found[2]}.gguf" for n in range(1, count + 1)]
    absent = [part for part in parts if part not in files]
    if absent:
        raise Incomplete(
            f"{absent[0]} is missing ({len(absent)} of {count} parts): copy it as well"
        )
    return parts


def _header(files: Files, name: str) -> Header:
    try:
        return Header(files.path(name))
    except OSError as error:
        raise unreadable(name, error) from None
    except DAMAGED as error:
        raise Incomplete(f"{name} is incomplete or damaged ({error})") from None


def _task(header: Header, architecture: str, *, chat: bool) -> Task:
    if f"{architecture}.pooling_type" in header.fields:
        return Task.EMBEDDING
    return Task.CHAT if chat else Task.COMPLETION


def _quantization(header: Header, dtype: str) -> str:
    """As its name says, for example Q4_K_M; empty for plain floats."""
    if "general.file_type" not in header.fields:
        return "" if dtype in ("F32", "F16", "BF16") else dtype
    try:
        known = gguf.LlamaFileType(header.number("general.file_type")).name
    except ValueError:
        return dtype
    name = known.removeprefix("MOSTLY_").removeprefix("ALL_")
    return "" if name in ("F32", "F16", "BF16") else name


def _kv_bytes_per_token(header: Header, architecture: str) -> int:
    """Keys and values of all layers; a list has one number for each."""

    def number(key: str) -> int:
        return header.number(f"{architecture}.{key}")

    heads = number("attention.head_count")
    of_each = header.value(f"{architecture}.attention.head_count_kv")
    layers = number("block_count")
    kv_heads = sum(of_each) if isinstance(of_each, list) else layers * int(of_each or heads)
    width = number("embedding_length") // heads if heads else 0
    keys = number("attention.key_length") or width
    values = number("attention.value_length") or width
    return kv_heads * (keys + values) * _KV_BYTES
