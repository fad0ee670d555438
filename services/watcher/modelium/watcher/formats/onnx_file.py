"""ONNX: a graph with typed inputs and outputs; weights in the file or in others beside it."""

from collections.abc import Iterator
from math import prod
from typing import Final

import onnx
from google.protobuf.message import DecodeError

from modelium.common.descriptor import Descriptor, RuntimeKind, Task, TensorSpec
from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import Files, unreadable

_TYPES: Final[dict[int, tuple[str, str, int]]] = {
    onnx.TensorProto.FLOAT: ("F32", "FP32", 32),
    onnx.TensorProto.DOUBLE: ("F64", "FP64", 64),
    onnx.TensorProto.FLOAT16: ("F16", "FP16", 16),
    onnx.TensorProto.BFLOAT16: ("BF16", "BF16", 16),
    onnx.TensorProto.INT64: ("I64", "INT64", 64),
    onnx.TensorProto.INT32: ("I32", "INT32", 32),
    onnx.TensorProto.INT16: ("I16", "INT16", 16),
    onnx.TensorProto.INT8: ("I8", "INT8", 8),
    onnx.TensorProto.UINT64: ("U64", "UINT64", 64),
    onnx.TensorProto.UINT32: ("U32", "UINT32", 32),
    onnx.TensorProto.UINT16: ("U16", "UINT16", 16),
    onnx.TensorProto.UINT8: ("U8", "UINT8", 8),
    onnx.TensorProto.BOOL: ("BOOL", "BOOL", 8),
    onnx.TensorProto.STRING: ("STRING", "BYTES", 8),
    onnx.TensorProto.FLOAT8E4M3FN: ("F8_E4M3", "", 8),
    onnx.TensorProto.FLOAT8E5M2: ("F8_E5M2", "", 8),
    onnx.TensorProto.INT4: ("I4", "", 4),
    onnx.TensorProto.UINT4: ("U4", "", 4),
}
"""By element type: the name of weights, the Open Inference Protocol's, and bits."""
_DOMAINS: Final = ("", "ai.onnx", "com.microsoft", "com.ms", "org.pytorch.aten")
"""Whose operators onnxruntime has, with those below them."""


def describe(files: Files, name: str) -> Descriptor:
    """What the graph says.

    Raises:
        InvalidModel: it is damaged, lacks weights that it names, or operators are unknown.
    """
    model = _load(files, name)
    graph = model.graph
    if not graph.output:
        raise Incomplete(f"{name} is incomplete or damaged (its graph has no output)")
    _require_operators(model, name)
    tensors = list(_tensors(graph))
    _require_external(files, name, tensors)
    by_dtype: dict[str, int] = {}
    for tensor in tensors:
        dtype, _, bits = _TYPES.get(tensor.data_type, ("", "", 8))
        by_dtype[dtype] = by_dtype.get(dtype, 0) + prod(tensor.dims) * bits // 8
    weights = {tensor.name for tensor in graph.initializer}
    return Descriptor(
        format="onnx",
        framework=_framework(model),
        architecture=graph.name,
        task=Task.TENSOR,
        runtime=RuntimeKind.RAY_SERVE,
        dtype=max(by_dtype, key=lambda dtype: by_dtype[dtype], default=""),
        parameters=sum(prod(tensor.dims) for tensor in tensors),
        weight_bytes=sum(by_dtype.values()),
        weight_bytes_by_dtype=by_dtype,
        inputs=tuple(_spec(value) for value in graph.input if value.name not in weights),
        outputs=tuple(map(_spec, graph.output)),
    )


def _load(files: Files, name: str) -> onnx.ModelProto:
    try:
        return onnx.load(files.path(name), load_external_data=False)
    except DecodeError as error:
        raise Incomplete(f"{name} is incomplete or damaged ({error})") from None
    except OSError as error:
        raise unreadable(name, error) from None


def _framework(model: onnx.ModelProto) -> str:
    opset = next((it.version for it in model.opset_import if it.domain in ("", "ai.onnx")), 0)
    made = f", by {model.producer_name} {model.producer_version}".rstrip()
    return f"onnx opset {opset}" + (made if model.producer_name else "")


def _require_operators(model: onnx.ModelProto, title: str) -> None:
    own = {function.domain for function in model.functions}
    used = {node.domain for node in model.graph.node} - own
    strange = sorted(domain for domain in used if not _is_known(domain))
    if strange:
        raise InvalidModel(f"{title} has operators of {strange[0]}, which onnxruntime has not")


def _is_known(domain: str) -> bool:
    return any(domain == known or (known and domain.startswith(f"{known}.")) for known in _DOMAINS)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """All weights: also those in nodes and in graphs within the graph."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _require_external(files: Files, title: str, tensors: list[onnx.TensorProto]) -> None:
    """Weights in other files have to be there, in the same folder, and long enough."""
    needed: dict[str, int] = {}
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            said = {entry.key: entry.value for entry in tensor.external_data}
            end = _number(said, "offset", title) + _number(said, "length", title)
            place = said.get("location", "")
            needed[place] = max(needed.get(place, 0), end)
    for place, size_bytes in sorted(needed.items()):
        if place not in files and files.candidate.is_file:
            raise InvalidModel(f"the weights of {title} are in {place}: put both in a folder")
        if place not in files:
            raise Incomplete(f"{place}, which {title} names, is missing")
        if files.sizes[place] < size_bytes:
            raise Incomplete(f"{place} is shorter than {title} says")


def _number(said: dict[str, str], key: str, title: str) -> int:
    text = said.get(key, "0")
    if not text.isdecimal():
        raise InvalidModel(f"{title} says {text!r} for the {key} of external weights")
    return int(text)


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    """A length that has a name, or none, is one that may differ from call to call."""
    tensor = value.type.tensor_type
    shape = tuple(it.dim_value if it.HasField("dim_value") else -1 for it in tensor.shape.dim)
    return TensorSpec(
        name=value.name, datatype=_TYPES.get(tensor.elem_type, ("", "", 0))[1], shape=shape
    )
