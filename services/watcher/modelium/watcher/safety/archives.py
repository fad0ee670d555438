"""Zip archives (TorchScript, `.pt2`, PyTorch checkpoints): opened only when nothing is odd.

Engines read them with a reader of their own, so whatever two readers may see differently is
refused: names that occur twice, entries that overlap, bytes before the first entry. Checksums are
those of entries that are read here; engines check the tensors' own.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelium.common.errors import InvalidModel
from modelium.watcher.safety import limits
from modelium.watcher.safety.paths import require_plain

MAGIC: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


def is_archive(path: Path) -> bool:
    """Whether the file says of itself, in its first bytes, that it is a zip archive."""
    with path.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


@contextmanager
def open_archive(source: Path | bytes, name: str = "") -> Iterator[zipfile.ZipFile]:
    """The archive of a file, or of content that lies in another; checked.

    Raises:
        InvalidModel: it is damaged, or its entries are not what an archive of weights has.
    """
    name = name or (source.name if isinstance(source, Path) else "it")
    begins = source.startswith(MAGIC) if isinstance(source, bytes) else is_archive(source)
    if not begins:
        raise InvalidModel(f"{name} is no zip archive")
    size_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        archive = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (*BROKEN, OSError):
        raise InvalidModel(f"{name} is an incomplete or damaged zip archive") from None
    with archive:
        entries = archive.infolist()
        _require_names(name, entries)
        _require_plain_entries(name, entries)
        _require_sizes(name, entries, size_bytes)
        _require_apart(name, entries)
        yield archive


def read_entry(
    archive: zipfile.ZipFile, entry: str, where: str, *, longest: int = limits.ZIP_SMALL_BYTES
) -> bytes:
    """All of one entry, whose checksum is right; `where` names it in errors.

    Raises:
        InvalidModel: it is larger than `longest`, damaged, or not there.
    """
    try:
        size_bytes = archive.getinfo(entry).file_size
        if size_bytes > longest:
            raise InvalidModel(f"{where} has {size_bytes} bytes; more than {longest} are not read")
        with archive.open(entry) as opened:
            content = opened.read(longest + 1)
            if opened.read(1) or len(content) != size_bytes:
                raise InvalidModel(f"{where} does not have the size it says")
    except KeyError:
        raise InvalidModel(f"{where} is missing") from None
    except (*BROKEN, OSError, RuntimeError):
        raise InvalidModel(f"{where} is damaged: its checksum or its header is wrong") from None
    return content


def _require_names(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    if len(entries) > limits.ZIP_ENTRIES:
        raise InvalidModel(f"{name} has {len(entries)} entries, more than any model")
    seen: set[str] = set()
    for entry in entries:
        # What follows a zero byte is dropped by this reader, and not by others.
        require_plain(entry.orig_filename, name)
        if entry.filename in seen:
            raise InvalidModel(f"{name} has the entry {entry.filename!r} twice")
        seen.add(entry.filename)


def _require_plain_entries(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InvalidModel(f"{name} has the link {entry.filename!r}")
        if entry.flag_bits & _ENCRYPTED:
            raise InvalidModel(f"{name} has the encrypted entry {entry.filename!r}")
        if entry.compress_type not in _METHODS:
            raise InvalidModel(f"{name} packs {entry.filename!r} in a way that engines do not read")


def _require_sizes(name: str, entries: Sequence[zipfile.ZipInfo], archive_bytes: int) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > limits.ZIP_SMALL_BYTES and unpacked > archive_bytes * limits.ZIP_RATIO:
        raise InvalidModel(f"{name} is a zip bomb: {archive_bytes} bytes that unpack to {unpacked}")
    stored = (e for e in entries if e.compress_type == zipfile.ZIP_STORED)
    odd = next((e for e in stored if e.file_size != e.compress_size), None)
    if odd is not None:
        raise InvalidModel(f"{name} says two sizes of the entry {odd.filename!r}")


def _require_apart(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise InvalidModel(f"{name} has entries that overlap ({entry.filename!r})")
        end = entry.header_offset + entry.compress_size
    if entries and min(entry.header_offset for entry in entries) != 0:
        raise InvalidModel(f"{name} has something before its first entry")
