"""PyTorch's archives (`.pt .pth .pt2`): zips, whose directory is written last."""

import zipfile
from typing import BinaryIO, Final, cast

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort
from modelium.watcher.completeness.headers import Extent, has_zero_ends, read_at

_LARGEST_DIRECTORY_BYTES: Final = 8 << 20
_ENTRY: Final = b"PK\x03\x04"
_DIRECTORY_BYTE_US: Final = 0.1


def check_archive(file: BinaryIO, size_bytes: int, effort: Effort) -> None:
    """Each entry begins with its mark, where the directory at the end says.

    What is no zip passes, if it is no beginning of one: nothing in it tells its length, and the
    analysis says what is wrong with it.
    """
    if size_bytes < len(_ENTRY):
        raise InvalidModel("ends before its header")
    magic = read_at(file, 0, len(_ENTRY))
    if magic != _ENTRY:
        if has_zero_ends(file, Extent(0, size_bytes)):
            raise InvalidModel("begins or ends with zeros")
        return
    entries = _entries(file, effort)
    if not entries:
        raise InvalidModel("has a directory without entries")
    for entry in entries:
        if read_at(file, entry.header_offset, len(_ENTRY)) != _ENTRY:
            raise InvalidModel(f"has nothing where its entry {entry.filename!r} should be")


def _entries(file: BinaryIO, effort: Effort) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(cast(BinaryIO, _Capped(file, effort))) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidModel(f"has no whole directory of a zip at its end ({error})") from None


class _Capped:
    """A file that refuses a directory which would fill the memory."""

    def __init__(self, file: BinaryIO, effort: Effort) -> None:
        self._file = file
        self._effort = effort
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        wanted = size if 0 <= size <= _LARGEST_DIRECTORY_BYTES else _LARGEST_DIRECTORY_BYTES + 1
        found = self._file.read(wanted)
        if len(found) > _LARGEST_DIRECTORY_BYTES:
            raise InvalidModel("has a directory that is too large")
        self._effort.spend(len(found) * _DIRECTORY_BYTE_US)
        return found
