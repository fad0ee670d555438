"""ONNX: walks the protobuf by its lengths, and finds the files in which tensors lie outside.

Not parsed by the library: that holds the whole file, weights included, in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _MODEL_OPSET, _MODEL_FUNCTIONS, _MODEL_IR_VERSION = 7, 8, 25, 1
_GRAPH: Final = {1: "node", 5: "tensor", 15: "sparse"}
_NODE: Final = {5: "attribute"}
_ATTRIBUTE: Final = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_SPARSE: Final = {1: "tensor", 2: "tensor"}
_FUNCTION: Final = {7: "node", 11: "attribute"}
_INNER: Final[Mapping[str, Mapping[int, str]]] = {
    "graph": _GRAPH,
    "node": _NODE,
    "attribute": _ATTRIBUTE,
    "sparse": _SPARSE,
    "function": _FUNCTION,
}
_TENSOR_EXTERNAL: Final = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_LONGEST_ENTRY_BYTES: Final = 4096
_FIELD_US: Final = 2.0
_DEEPEST: Final = 64


@dataclass(frozen=True)
class Outside:
    """A part of another file in which a tensor lies; `location` as the model spells it."""

    location: str
    end: int
    """The first byte behind it; 0 if the model does not say."""


@dataclass(frozen=True)
class _Field:
    number: int
    kind: int
    start: int
    end: int
    value: int


def check_onnx(file: BinaryIO, size_bytes: int, effort: Effort) -> list[Outside]:
    """The fields of a model fill the file to its last byte; returns what lies in other files."""
    walk = _Walk(file, effort)
    found: list[Outside] = []
    present: set[int] = set()
    for field in walk.fields(0, size_bytes):
        present.add(field.number)
        inner = {_MODEL_GRAPH: "graph", _MODEL_FUNCTIONS: "function"}.get(field.number)
        if inner and field.kind == _BYTES:
            found += walk.outside(inner, field, 0)
    if not {_MODEL_IR_VERSION, _MODEL_GRAPH, _MODEL_OPSET} <= present:
        raise InvalidModel("ends before its graph and the versions of its operators")
    return found


def companions(outside: list[Outside]) -> frozenset[str]:
    """The names of files directly beside the model; others the analysis refuses."""
    names = {PurePosixPath(it.location) for it in outside}
    return frozenset(str(name) for name in names if len(name.parts) == 1 and ".." not in name.parts)


class _Walk:
    def __init__(self, file: BinaryIO, effort: Effort) -> None:
        self._file = file
        self._effort = effort

    def fields(self, start: int, end: int) -> Iterator[_Field]:
        """Those between two places, which the last one has to end at."""
        at = start
        while at < end:
            self._effort.spend(_FIELD_US)
            field = self._field(at, end)
            yield field
            at = field.end

    def _field(self, at: int, end: int) -> _Field:
        self._file.seek(at)
        tag = self._varint()
        number, kind = tag >> 3, tag & 7
        value = self._varint() if kind in (_VARINT, _BYTES) else 0
        start = self._file.tell()
        lengths = {_VARINT: 0, _FIXED64: 8, _FIXED32: 4, _BYTES: value}
        if number == 0 or kind not in lengths:
            raise InvalidModel("holds something that is no ONNX, or not written yet")
        if start + lengths[kind] > end:
            raise InvalidModel("ends in the middle")
        return _Field(number, kind, start, start + lengths[kind], value)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._file.read(1)
            if not byte:
                raise InvalidModel("ends in the middle")
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return value
        raise InvalidModel("holds something that is no ONNX")

    def outside(self, kind: str, field: _Field, depth: int) -> Iterator[Outside]:
        """What of this message lies in other files."""
        if depth > _DEEPEST:
            raise InvalidModel("has graphs in graphs without an end")
        if kind == "tensor":
            yield from self._of_tensor(field)
            return
        for inner in self.fields(field.start, field.end):
            name = _INNER[kind].get(inner.number)
            if name and inner.kind == _BYTES:
                yield from self.outside(name, inner, depth + 1)

    def _of_tensor(self, tensor: _Field) -> Iterator[Outside]:
        entries = [
            self._entry(field)
            for field in self.fields(tensor.start, tensor.end)
            if field.number == _TENSOR_EXTERNAL and field.kind == _BYTES
        ]
        said = dict(entries)
        if "location" in said:
            yield Outside(said["location"], _number(said, "offset") + _number(said, "length"))

    def _entry(self, entry: _Field) -> tuple[str, str]:
        texts = {
            field.number: self._text(field)
            for field in self.fields(entry.start, entry.end)
            if field.kind == _BYTES
        }
        return texts.get(_ENTRY_KEY, ""), texts.get(_ENTRY_VALUE, "")

    def _text(self, field: _Field) -> str:
        if field.end - field.start > _LONGEST_ENTRY_BYTES:
            raise InvalidModel("names another file with too many letters")
        self._file.seek(field.start)
        return self._file.read(field.end - field.start).decode(errors="replace")


def _number(said: Mapping[str, str], key: str) -> int:
    text = said.get(key, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
