"""The zip archives that torch writes: one folder, whose name is the file's when it was saved."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Final

from modelium.common.errors import Incomplete, InvalidModel
from modelium.watcher.formats.files import LARGEST_READ_BYTES, Files, unreadable
from modelium.watcher.safety.archives import BROKEN

MAGIC: Final = b"PK\x03\x04"


class Archive:
    """The entries of an open archive, by their names below its one folder."""

    def __init__(self, title: str, opened: zipfile.ZipFile) -> None:
        self.title = title
        self._opened = opened
        entries = opened.infolist()
        roots = {PurePosixPath(entry.filename).parts[0] for entry in entries if entry.filename}
        if len(roots) != 1:
            raise InvalidModel(f"{title} is no archive of torch: it has {len(roots)} folders")
        start = len(roots.pop()) + 1
        self._entries = {entry.filename[start:]: entry for entry in entries}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def below(self, folder: str) -> dict[str, int]:
        """The entries of a folder, however deep, with their sizes."""
        prefix = f"{folder}/"
        found = self._entries.items()
        return {name: entry.file_size for name, entry in found if name.startswith(prefix)}

    def read(self, name: str) -> bytes:
        """All of a small entry.

        Raises:
            InvalidModel: there is none, it is too large, or damaged.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise InvalidModel(f"{self.title} has no {name}")
        if entry.file_size > LARGEST_READ_BYTES:
            raise InvalidModel(f"{name} in {self.title} is too large")
        try:
            return self._opened.read(entry)
        except (*BROKEN, OSError, RuntimeError) as bad:
            raise InvalidModel(f"{name} in {self.title} is damaged ({bad})") from None


def is_archive(files: Files, name: str) -> bool:
    """Whether the file begins as a zip archive does."""
    try:
        with files.path(name).open("rb") as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise unreadable(name, error) from None


@contextmanager
def open_archive(files: Files, name: str) -> Iterator[Archive]:
    """The archive; its list of entries stands at its end, so one that is still copied has none.

    Raises:
        InvalidModel: it is no whole archive of torch.
    """
    try:
        opened = zipfile.ZipFile(files.path(name))
    except BROKEN as error:
        raise Incomplete(f"{name} is incomplete or damaged ({error})") from None
    except OSError as error:
        raise unreadable(name, error) from None
    with opened:
        yield Archive(name, opened)
