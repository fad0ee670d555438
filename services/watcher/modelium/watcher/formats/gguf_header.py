"""Reads GGUF's header with the library, past long lists without a look at each of their words."""

import struct
from pathlib import Path
from typing import Any, Final

import gguf

_COUNTS: Final = struct.Struct("<4sIQQ")
_LENGTH: Final = struct.Struct("<Q")
_MOST_KEYS: Final = 65_536
_MOST_TENSORS: Final = 1_000_000
_LIST_HEAD_BYTES: Final = 12
DAMAGED: Final = (
    *(ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, MemoryError),
)
"""What the library raises for files that are not what they say."""


class Header(gguf.GGUFReader):
    """The library's reader takes 5 s for a vocabulary of 150,000 words; here they are skipped."""

    def __init__(self, path: Path) -> None:
        """Raises one of `DAMAGED`, or `OSError`."""
        with path.open("rb") as opened:
            magic, _, tensors, keys = _COUNTS.unpack(opened.read(_COUNTS.size))
        if magic != b"GGUF" or tensors > _MOST_TENSORS or keys > _MOST_KEYS:
            raise ValueError("it does not begin as such a file does")
        super().__init__(path)

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[Any], list[int], list[gguf.GGUFValueType]]:
        if raw_type != gguf.GGUFValueType.ARRAY or self.byte_order != "I":
            return super()._get_field_parts(orig_offs, raw_type)
        kind = gguf.GGUFValueType(int.from_bytes(self.data[orig_offs : orig_offs + 4], "little"))
        [count] = _LENGTH.unpack_from(self.data.data, orig_offs + 4)
        if count > len(self.data):
            raise ValueError("a list is longer than the file")
        if kind is gguf.GGUFValueType.STRING:
            size = self._words_bytes(orig_offs + _LIST_HEAD_BYTES, count)
            return _LIST_HEAD_BYTES + size, [], [], [gguf.GGUFValueType.ARRAY, kind]
        if kind not in self.gguf_scalar_to_np:
            return super()._get_field_parts(orig_offs, raw_type)
        values = self._get(orig_offs + _LIST_HEAD_BYTES, self.gguf_scalar_to_np[kind], count)
        if len(values) != count:
            raise ValueError("a list ends with the file")
        parts = [values]
        return _LIST_HEAD_BYTES + int(values.nbytes), parts, [0], [gguf.GGUFValueType.ARRAY, kind]

    def _words_bytes(self, start: int, count: int) -> int:
        """How many bytes `count` words take: each is its length, and as many bytes."""
        at, data, length_at = start, self.data.data, _LENGTH.unpack_from
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
        if at > len(data):
            raise ValueError("a word ends behind the file")
        return at - start

    def value(self, key: str) -> Any:
        """A text or a number, or the numbers of a list; None where there is none."""
        field = self.fields.get(key)
        if field is None or (field.types[0] is gguf.GGUFValueType.ARRAY and not field.data):
            return None
        if field.types[0] is gguf.GGUFValueType.ARRAY:
            return field.parts[field.data[0]].tolist()
        return field.contents()

    def text(self, key: str) -> str:
        """Empty where there is none."""
        value = self.value(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Of a list, the largest; 0 where there is none."""
        value = self.value(key)
        if isinstance(value, list):
            value = max(value, default=0)
        return int(value) if isinstance(value, int | float) else 0
