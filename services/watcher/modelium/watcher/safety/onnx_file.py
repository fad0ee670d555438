"""ONNX: the graph, read without its data, once nothing in it names a file elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError, Message

from modelium.common.errors import InvalidModel
from modelium.watcher.safety.paths import require_inside

_LARGEST_BYTES: Final = 2 << 30
"""What protobuf reads."""


def read_onnx(path: Path, folder: Path) -> onnx.ModelProto:
    """The graph; tensors that lie in files of their own stay there.

    Raises:
        InvalidModel: it is no ONNX, or keeps data outside of `folder` or of the file it names.
    """
    if path.stat().st_size > _LARGEST_BYTES:
        raise InvalidModel(f"{path.name} is larger than an ONNX file can be")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError):
        raise InvalidModel(
            f"{path.name} is no ONNX file, or incomplete or damaged: copy or export it again"
        ) from None
    if not model.graph.node and not model.graph.output:
        raise InvalidModel(f"{path.name} is an ONNX file without a graph")
    require_data_inside(model, folder, path.name)
    return model


def require_data_inside(model: onnx.ModelProto, folder: Path, name: str) -> None:
    """Refuse external data that an engine would have to look for elsewhere.

    Raises:
        InvalidModel: its file lies outside of `folder`, is a link or missing, or is too short.
    """
    for tensor in _tensors(model, name):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            _require_inside(tensor, folder, name)


def _tensors(model: Message, name: str) -> Iterator[onnx.TensorProto]:
    """All, wherever they lie: initializers, attributes, inner graphs, functions, sparse ones."""
    ahead: list[Message] = [model]
    while ahead:
        message = ahead.pop()
        if isinstance(message, onnx.TensorProto):
            _require_text([message.name], name)
            yield message
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                ahead += [value] if isinstance(value, Message) else value
            elif field.type == field.TYPE_STRING:
                _require_text([value] if isinstance(value, str | bytes) else value, name)


def _require_text(values: Iterable[str | bytes], name: str) -> None:
    """Protobuf gives bytes for what is no UTF-8."""
    if not all(isinstance(value, str) for value in values):
        raise InvalidModel(f"{name} has a text that is no UTF-8")


def _require_inside(tensor: onnx.TensorProto, folder: Path, name: str) -> None:
    said = Counter(entry.key for entry in tensor.external_data)
    twice = next((key for key, count in said.items() if count > 1), None)
    values = {entry.key: entry.value for entry in tensor.external_data}
    _require_text((*values, *values.values()), name)
    if twice or "location" not in values:
        raise InvalidModel(f"{name} does not say clearly where tensor {tensor.name[:80]!r} is")
    location = values["location"]
    path = require_inside(folder, location, said_in=name)
    if (folder / location).is_symlink():
        raise InvalidModel(f"{name} keeps data in {location}, which is a link")
    if not path.is_file():
        raise InvalidModel(f"{location} is missing (it holds data of {name}): copy it as well")
    offset, length = (_number(values.get(key, "0"), name) for key in ("offset", "length"))
    if offset + length > path.stat().st_size:
        raise InvalidModel(
            f"{location} is incomplete: {name} has data behind its end; copy it again"
        )


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidModel(f"{name} says {text[:40]!r} where a number of bytes was expected")
    return int(text)
