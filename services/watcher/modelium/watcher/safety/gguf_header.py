"""The header of a GGUF file, walked before its library does.

The library believes the counts it reads, and follows them for as long as they say. Here each count
is compared with what is left of the file before anything is read.
"""

import struct
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.safety import limits
from modelium.watcher.safety.text import require_harmless_template

MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_STRING, _ARRAY = 8, 9
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value by its type."""
_TEMPLATE: Final = "tokenizer.chat_template"
_ALIGNMENT: Final = "general.alignment"
_FEWEST_BYTES: Final = 8 + 4 + 4 + 8
"""Of what the header says of a tensor."""
_BLOCK: Final = 1 << 16


def require_sound_gguf(path: Path, name: str) -> None:
    """Walk the whole header.

    Raises:
        InvalidModel: it is no GGUF of a known version, cut off, ambiguous, or says what cannot be.
    """
    with path.open("rb") as opened:
        _Walk(opened, path.stat().st_size, name).run()


class _Walk:
    def __init__(self, opened: BinaryIO, size_bytes: int, name: str) -> None:
        self._file = opened
        self._left = size_bytes
        self._name = name
        self._align = 32

    def run(self) -> None:
        if self._take(4) != MAGIC:
            raise self._wrong("is no GGUF file")
        version = self._number(4)
        if version not in _VERSIONS:
            raise self._wrong(f"is GGUF version {version}, and only 2 and 3 are read")
        tensors, keys = self._number(8), self._number(8)
        if tensors > min(limits.TENSORS, self._left // _FEWEST_BYTES):
            raise self._wrong(f"says it has {tensors} tensors, more than its size allows")
        if keys > limits.GGUF_KEYS:
            raise self._wrong(f"says it has {keys} keys of metadata, more than any model")
        self._distinct(keys, self._key_and_value, "key")
        ends: list[int] = []
        self._distinct(tensors, lambda: self._tensor(ends), "tensor")
        if max(ends, default=0) > self._left:
            raise self._wrong("is incomplete or damaged: a tensor begins behind its end")

    def _distinct(self, count: int, read: Callable[[], str], what: str) -> None:
        seen: set[str] = set()
        for _ in range(count):
            name = read()
            if name in seen:
                raise self._wrong(f"has the {what} {name[:80]!r} twice")
            seen.add(name)

    def _key_and_value(self) -> str:
        key = self._text(limits.NAME_BYTES)
        kind = self._number(4)
        if kind == _STRING:
            value = self._text(limits.TEMPLATE_BYTES)
            if key.startswith(_TEMPLATE):
                require_harmless_template(value, self._name)
        elif key == _ALIGNMENT and kind == 4:
            self._require_alignment(self._number(4))
        else:
            self._value(kind, 0)
        return key

    def _require_alignment(self, align: int) -> None:
        if not 0 < align <= 1 << 20 or align & (align - 1):
            raise self._wrong(f"says an alignment of {align}")

    def _value(self, kind: int, depth: int) -> None:
        if kind in _SIZES:
            self._skip(_SIZES[kind])
        elif kind == _STRING:
            self._skip(self._number(8))
        elif kind == _ARRAY and depth < limits.GGUF_ARRAY_NESTING:
            self._array(depth + 1)
        elif kind == _ARRAY:
            raise self._wrong("nests lists too deep")
        else:
            raise self._wrong(f"has a value of the unknown type {kind}")

    def _array(self, depth: int) -> None:
        kind, count = self._number(4), self._number(8)
        if kind in _SIZES:
            self._skip(count * _SIZES[kind])
            return
        if count > self._left // 8:
            raise self._wrong(f"says a list of {count} values, more than its size allows")
        for _ in range(count):
            self._value(kind, depth)

    def _tensor(self, begins: list[int]) -> str:
        name = self._text(limits.NAME_BYTES)
        dimensions = self._number(4)
        if dimensions > limits.DIMENSIONS:
            raise self._wrong(f"says {dimensions} dimensions of tensor {name[:80]!r}")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))
        if prod(shape) >= 1 << 62:
            raise self._wrong(f"says a size of tensor {name[:80]!r} that cannot be")
        self._take(4)
        begins.append(self._number(8))
        return name

    def _text(self, longest: int) -> str:
        length = self._number(8)
        if length > longest:
            raise self._wrong(f"has a text of {length} bytes where at most {longest} are read")
        try:
            return self._take(length).decode()
        except UnicodeDecodeError:
            raise self._wrong("has a text that is no UTF-8") from None

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _take(self, size: int) -> bytes:
        self._count(size)
        return self._file.read(size)

    def _skip(self, size: int) -> None:
        self._count(size)
        if size > _BLOCK:
            self._file.seek(size, 1)
        else:
            self._file.read(size)

    def _count(self, size: int) -> None:
        if size > self._left:
            raise self._wrong("is incomplete or damaged: its header goes on behind its end")
        self._left -= size

    def _wrong(self, what: str) -> InvalidModel:
        return InvalidModel(f"{self._name} {what}")
