"""What the watch directories hold at one moment: frozen values, and the names in them; pure.

`filesystem.py` fills them, `scan.py` compares them.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from modelium.common.signatures import SIGNATURE

CONFIG: Final = "config.json"
GGUF: Final = ".gguf"
WEIGHTS: Final = (".safetensors", GGUF, ".onnx", ".pt", ".pth", ".pt2")
"""How files end that hold weights, in small letters."""
_LONGEST_NAME: Final = 128


@dataclass(frozen=True)
class File:
    """One file of a model; `path` is relative to its folder, or to that in which a file lies."""

    path: str
    size_bytes: int
    mtime_ns: int
    readable: bool = True
    """Whether those who have to read it may: this process, and engines under their own user."""


@dataclass(frozen=True)
class Candidate:
    """A folder or file of a watch directory that may become a model."""

    path: str
    files: tuple[File, ...] = ()
    unfinished: bool = False
    """It, or a file in it, bears the name of something unfinished."""
    is_file: bool = False
    leaves: str | None = None
    """A link in it that leads out of the watch directory; what it leads to is not read."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def signature(self) -> str:
        """What the file is called that says who made it, if there is one."""
        return f"{self.files[0].path}.sig" if self.is_file else SIGNATURE

    @property
    def unsigned(self) -> tuple[File, ...]:
        """All files but the signature, which changes nothing of what an engine loads."""
        return tuple(file for file in self.files if file.path != self.signature)


@dataclass(frozen=True)
class Listing:
    """All watch directories that could be read, and what they hold."""

    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    """By absolute path."""
    roots: tuple[str, ...] = ()
    """Where absence means that something was removed."""


def served_name(path: str) -> str:
    """The model's name for clients: its folder's, or its file's without the ending."""
    base = PurePath(path)
    name = base.stem if base.suffix.lower() in WEIGHTS else base.name
    name = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:_LONGEST_NAME] or "model"


def fingerprint(files: tuple[File, ...], config: bytes) -> str:
    """Changes when the model's files are replaced; cheap, as it reads no weights.

    A file that may not be read counts as another one, so that allowing it is a change.
    """
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        unreadable = "" if file.readable else "\0unreadable"
        line = f"{file.path}\0{file.size_bytes}\0{file.mtime_ns}{unreadable}\n"
        digest.update(line.encode(errors="surrogateescape"))
    digest.update(config)
    return digest.hexdigest()[:32]
