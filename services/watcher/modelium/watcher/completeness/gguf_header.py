"""GGUF: walks the header to where the tensors lie, without keeping what it passes."""

from math import prod
from typing import BinaryIO, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort
from modelium.watcher.completeness.headers import Extent, read_at

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = range(2, 4)
_WIDTHS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the number of its type."""
_STRING: Final = 8
_ARRAY: Final = 9
_UINT32: Final = 4
_ALIGNMENT_KEY: Final = b"general.alignment"
_ALIGNMENT_BYTES: Final = 32
_LONGEST_NAME_BYTES: Final = 65_535
_MOST_DIMENSIONS: Final = 8
_STRING_US, _KEY_US, _TENSOR_US = 0.25, 1.0, 4.0
_MOST_ITEMS: Final = 4_000_000
"""Keys, strings and tensors of one header; the largest vocabularies have a twentieth of it."""


def check_gguf(file: BinaryIO, size_bytes: int, effort: Effort) -> Extent:
    """Every tensor that the header lists lies inside the file."""
    if size_bytes < len(_MAGIC):
        raise InvalidModel("ends before its header")
    if read_at(file, 0, 4) != _MAGIC:
        raise InvalidModel("does not begin as GGUF does")
    return _Walk(file, size_bytes, effort).extent()


class _Walk:
    """One pass over a header; every step is bounded by the file and by `_MOST_ITEMS`."""

    def __init__(self, file: BinaryIO, size_bytes: int, effort: Effort) -> None:
        self._file = file
        self._effort = effort
        self._size = size_bytes
        self._items = 0
        self._alignment = _ALIGNMENT_BYTES

    def extent(self) -> Extent:
        if self._u32() not in _VERSIONS:
            raise InvalidModel("is GGUF of a version that is not known here")
        tensors, keys = self._u64(), self._u64()
        for _ in self._counted(keys, _KEY_US):
            self._key()
        ends = [self._tensor_end() for _ in self._counted(tensors, _TENSOR_US)]
        header = self._file.tell()
        start = -(-header // self._alignment) * self._alignment if ends else header
        end = start + max(ends, default=0)
        if end > self._size:
            raise InvalidModel(f"has {self._size} of the {end} bytes that its header says")
        # The last tensor may be padded with zeros; more behind it is no GGUF, or not written yet.
        return Extent(start, end if self._size - end < self._alignment else self._size)

    def _counted(self, count: int, each_us: float) -> range:
        self._items += count
        if self._items > _MOST_ITEMS:
            raise InvalidModel("has a header that is too large")
        self._effort.spend(count * each_us)
        return range(count)

    def _key(self) -> None:
        key = self._string()
        kind = self._u32()
        if key == _ALIGNMENT_KEY and kind == _UINT32:
            self._alignment = max(self._u32(), 1)
        elif kind == _ARRAY:
            self._skip_array()
        else:
            self._skip(kind, 1)

    def _skip_array(self) -> None:
        kind, count = self._u32(), self._u64()
        self._skip(kind, count)

    def _skip(self, kind: int, count: int) -> None:
        if kind == _STRING:
            for _ in self._counted(count, _STRING_US):
                self._jump(self._u64())
        elif kind in _WIDTHS:
            self._jump(_WIDTHS[kind] * count)
        else:
            raise InvalidModel(f"has a header with a value of a type that is not known ({kind})")

    def _tensor_end(self) -> int:
        self._string()
        dimensions = self._u32()
        if dimensions > _MOST_DIMENSIONS:
            raise InvalidModel(f"has a header with a tensor of {dimensions} dimensions")
        shape = [self._u64() for _ in range(dimensions)]
        kind, offset = self._u32(), self._u64()
        return offset + _tensor_bytes(kind, prod(shape))

    def _string(self) -> bytes:
        length = self._u64()
        if length > _LONGEST_NAME_BYTES:
            raise InvalidModel("has a header with a name that is too long")
        return self._read(length)

    def _u32(self) -> int:
        return int.from_bytes(self._read(4), "little")

    def _u64(self) -> int:
        return int.from_bytes(self._read(8), "little")

    def _read(self, length: int) -> bytes:
        found = self._file.read(length)
        if len(found) < length:
            raise InvalidModel("ends in its header")
        return found

    def _jump(self, length: int) -> None:
        if length > self._size:
            raise InvalidModel("ends in its header")
        self._file.seek(length, 1)


def _tensor_bytes(kind: int, elements: int) -> int:
    """At least so many; 0 for a type that is newer than the library."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType  # 0.2 s: at first use

    try:
        per_block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        return 0
    return -(-elements // per_block) * block_bytes
