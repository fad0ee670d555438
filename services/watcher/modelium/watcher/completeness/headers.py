"""What the small and the tensors-only files say of their own length: JSON, safetensors, Git LFS.

As all of this package: reads little, and raises `InvalidModel` with what is wrong with the file,
whose name the caller adds.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort

PAGE_BYTES: Final = 4096
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TAIL_BYTES: Final = 8
_LARGEST_HEADER_BYTES: Final = 32 << 20
"""Of 160,000 tensors and more; the analysis says what is wrong with a larger one."""
_OFFSETS: Final = re.compile(rb'"data_offsets"\s*+:\s*+\[\s*+\d{1,19}\s*+,\s*+(\d{1,19})\s*+\]')
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_OFFSETS_US: Final = 0.3
_LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"
LONGEST_POINTER_BYTES: Final = 1024


@dataclass(frozen=True)
class Extent:
    """Where a file's tensors should lie; `end` is the first byte behind them."""

    start: int
    end: int


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Exactly so many bytes; a file that ends before is incomplete."""
    file.seek(offset)
    found = file.read(length)
    if len(found) < length:
        raise InvalidModel("ends in the middle")
    return found


def check_safetensors(file: BinaryIO, size_bytes: int, effort: Effort) -> Extent:
    """The eight bytes of the header's length, the header, and then as much as it says."""
    if size_bytes < _TAIL_BYTES:
        raise InvalidModel("ends before its header")
    length = int.from_bytes(read_at(file, 0, 8), "little")
    start = 8 + length
    if not 2 <= length <= _LARGEST_HEADER_BYTES:
        raise InvalidModel("has no header of safetensors")
    if start > size_bytes:
        raise InvalidModel("ends in its header")
    header = read_at(file, 8, length)
    effort.scan_json(header)
    effort.spend(header.count(b'"data_offsets"') * _OFFSETS_US)
    if not is_closed_json(header):
        raise InvalidModel("has a header that is not whole")
    ends = (int(found[1]) for found in _OFFSETS.finditer(header))
    end = start + max(ends, default=0)
    if end > size_bytes:
        raise InvalidModel(f"has {size_bytes} of the {end} bytes that its header says")
    return Extent(start, size_bytes)


def is_closed_json(text: bytes) -> bool:
    """Whether an object or list begins and ends here: false for any beginning of one.

    It needs no memory for what the JSON holds, and says nothing about the rest of its grammar.
    """
    bare = _STRING.sub(b"", text.removeprefix(BYTE_ORDER_MARK)).strip()
    if not bare.startswith((b"{", b"[")) or not bare.endswith((b"}", b"]")) or b'"' in bare:
        return False
    pairs = ((b"{", b"}"), (b"[", b"]"))
    return all(bare.count(opening) == bare.count(closing) for opening, closing in pairs)


def is_lfs_pointer(file: BinaryIO, size_bytes: int) -> bool:
    """Whether Git LFS has not put the file itself there yet."""
    if not len(_LFS_POINTER) <= size_bytes <= LONGEST_POINTER_BYTES:
        return False
    return read_at(file, 0, len(_LFS_POINTER)) == _LFS_POINTER


def has_zero_ends(file: BinaryIO, extent: Extent) -> bool:
    """Whether the tensors' first page or last bytes are zeros, as where nothing was written yet.

    The end is where a copy in one go arrives last, so a few bytes count there; a first tensor may
    well begin with zeros (the row of the padding token), so there a whole page does.
    """
    length = extent.end - extent.start
    if length == 0:
        return False
    tail = read_at(file, extent.end - min(_TAIL_BYTES, length), min(_TAIL_BYTES, length))
    head = read_at(file, extent.start, min(PAGE_BYTES, length))
    return not any(tail) or (len(head) == PAGE_BYTES and not any(head))
