"""The fingerprint of a model's content: the same for a copy elsewhere, another for other weights.

Small files count whole; of large ones their size, their ends and pages from all over them, so that
3 GB cost as little as 3 MB. It tells models apart whose memory was measured; it is no proof that
nobody has changed a byte: signatures are for that.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from modelium.watcher.formats.files import Files, unreadable

WHOLE_BYTES: Final = 1 << 20
"""Files up to this size count whole."""
_END_BYTES: Final = 64 << 10
_PAGES: Final = 32
_PAGE_BYTES: Final = 4 << 10
_WORDS: Final = (".md", ".txt", ".rst", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".yaml")
"""What people read; it changes nothing of what an engine holds. A vocabulary is counted."""
_COUNTED: Final = ("vocab.txt", "merges.txt")


def content_fingerprint(files: Files, arguments: Iterable[str] = ()) -> str:
    """Of all files but those for people, and of the arguments that its engine is given.

    Raises:
        InvalidModel: one cannot be read.
    """
    digest = hashlib.sha256("\0".join(arguments).encode())
    for name in sorted(it.path for it in files.candidate.unsigned if _counts(it.path)):
        # A single file may be called anything.
        digest.update(f"{'' if files.candidate.is_file else name}\0{files.sizes[name]}\n".encode())
        try:
            _add(digest, files, name)
        except OSError as error:
            raise unreadable(name, error) from None
    return digest.hexdigest()[:32]


def _counts(name: str) -> bool:
    last = PurePath(name).name.lower()
    return last in _COUNTED or not (last.endswith(_WORDS) or last.startswith("license"))


def _add(digest: "hashlib._Hash", files: Files, name: str) -> None:
    size = files.sizes[name]
    with files.path(name).open("rb") as opened:
        if size <= WHOLE_BYTES:
            digest.update(opened.read(WHOLE_BYTES))
            return
        descriptor, step = opened.fileno(), size // _PAGES
        digest.update(os.pread(descriptor, _END_BYTES, 0))
        for page in range(1, _PAGES):
            digest.update(os.pread(descriptor, _PAGE_BYTES, page * step))
        digest.update(os.pread(descriptor, _END_BYTES, size - _END_BYTES))
