"""Lists one watch directory: what lies in it, by names and numbers only.

Blocks. No link is followed out of the watch directory unless that is allowed, and no linked folder
within a model is entered.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.effort import Effort, TooMuch
from modelium.watcher.completeness.names import (
    is_hidden,
    is_unfinished,
    is_unfinished_beside,
    is_unfinished_in,
)
from modelium.watcher.completeness.onnx_file import check_onnx, companions
from modelium.watcher.listing import WEIGHTS, Candidate, File
from modelium.watcher.regular import open_regular

_ONNX = ".onnx"
_NEVER_ENTERED = frozenset({".git/objects", ".git/lfs", ".git/logs"})
"""Thousands of files, of which none says anything."""


@dataclass(frozen=True)
class Rules:
    """What is looked at, and whom it has to serve."""

    supported: tuple[str, ...]
    read_by_others: bool
    """Engines run under another user, who has to be able to read."""
    links_outside: bool = False


class Lister:
    """Turns what lies at a path into a candidate; keeps only which files ONNX models name."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._companions: dict[Path, tuple[tuple[int, int], frozenset[str] | None]] = {}
        """By size and time; None: seen once, and not read before it is seen unchanged."""

    def entries(self, root: Path) -> list[Candidate]:
        """All candidates of a watch directory; raises `OSError` if it cannot be read."""
        with os.scandir(root) as found:
            names = sorted(entry.name for entry in found)
        mine = {path for path in self._companions if path.parent == root}
        for path in mine - {root / name for name in names}:
            del self._companions[path]
        unfinished = [name for name in names if is_unfinished(name)]
        wanted = (n for n in names if not is_hidden(n) and not is_unfinished(n) and _is_text(n))
        listed = (self.candidate(root / name, root, beside=unfinished) for name in wanted)
        return [candidate for candidate in listed if candidate is not None]

    def named(self, path: Path, root: Path) -> Candidate | None:
        """As `candidate`, for one that is there already."""
        self.candidate(path, root)
        return self.candidate(path, root)

    def candidate(self, path: Path, root: Path, *, beside: Sequence[str] = ()) -> Candidate | None:
        """What lies at `path`; None if nothing does, or nothing that can become a model."""
        try:
            return self._found(path, root, beside)
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            return None  # gone in between, or a link that leads nowhere or to itself
        except OSError:
            return Candidate(str(path), (File(".", 0, 0, readable=False),))

    def _found(self, path: Path, root: Path, beside: Sequence[str]) -> Candidate | None:
        entry = path.lstat()
        found = entry
        if stat.S_ISLNK(entry.st_mode):
            if self._leaves(path, root):
                return Candidate(str(path), (File(".", 0, entry.st_mtime_ns),), leaves=path.name)
            found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            return self._folder(path, root, found)
        wanted = path.name.lower().endswith((*self._rules.supported, *WEIGHTS))
        if not wanted or not stat.S_ISREG(found.st_mode):
            return None
        files = (self._file(path, path.name, found), *self._beside(path, root, found))
        unfinished = is_unfinished_beside(path.name, beside)
        return Candidate(str(path), files, unfinished=unfinished, is_file=True)

    def _leaves(self, path: Path, root: Path) -> bool:
        """Raises `OSError` for a link to nothing, and `RuntimeError` for one to itself."""
        target = path.resolve(strict=True)
        return not self._rules.links_outside and not target.is_relative_to(root)

    def _folder(self, path: Path, root: Path, found: os.stat_result) -> Candidate:
        files: list[File] = []
        unfinished = False
        leaves: str | None = None
        others_enter = self._may_enter(found)
        for entry, name in _walk(path):
            if is_unfinished_in(name):
                unfinished = True
            elif any(is_hidden(part) for part in name.split("/")):
                continue
            elif entry.is_symlink() and self._is_outside(Path(entry), root):
                leaves = leaves or name
                files.append(File(name, 0, entry.stat(follow_symlinks=False).st_mtime_ns))
            elif file := self._of_entry(entry, name, others_enter):
                files.append(file)
        files.sort(key=lambda file: file.path)
        return Candidate(str(path), tuple(files), unfinished=unfinished, leaves=leaves)

    def _is_outside(self, link: Path, root: Path) -> bool:
        """Also for one to nothing."""
        return not self._rules.links_outside and not link.resolve().is_relative_to(root)

    def _may_enter(self, found: os.stat_result) -> bool:
        needed = stat.S_IROTH | stat.S_IXOTH
        return not self._rules.read_by_others or found.st_mode & needed == needed

    def _of_entry(self, entry: os.DirEntry[str], name: str, others_enter: bool) -> File | None:
        try:
            found = entry.stat()
        except OSError:
            return None  # gone in between, or a link to nothing
        if not stat.S_ISREG(found.st_mode):
            return None
        return self._file(entry.path, name, found, others_enter)

    def _file(
        self, path: Path | str, name: str, found: os.stat_result, others_enter: bool = True
    ) -> File:
        readable = os.access(path, os.R_OK)
        if self._rules.read_by_others:
            readable = readable and others_enter and bool(found.st_mode & stat.S_IROTH)
        return File(name, found.st_size, found.st_mtime_ns, readable)

    def _beside(self, path: Path, root: Path, found: os.stat_result) -> list[File]:
        """What a person says of a single file, its signature, and where ONNX keeps tensors."""
        names = [f"{path.name}.yaml", f"{path.name}.sig", *self._named_by(path, found)]
        files = (self._companion(path.with_name(name), root) for name in names)
        return [file for file in files if file is not None]

    def _named_by(self, path: Path, found: os.stat_result) -> list[str]:
        if not path.name.lower().endswith(_ONNX):
            return []
        now = (found.st_size, found.st_mtime_ns)
        before, names = self._companions.get(path, (None, None))
        if names is None:
            names = _companions_of(path, found.st_size) if before == now else None
        elif before != now:
            names = None
        self._companions[path] = (now, names)
        return sorted(names or ())

    def _companion(self, path: Path, root: Path) -> File | None:
        try:
            if path.is_symlink() and self._leaves(path, root):
                return None
            found = path.stat()
        except (OSError, RuntimeError):
            return None
        return self._file(path, path.name, found) if stat.S_ISREG(found.st_mode) else None


def _companions_of(path: Path, size_bytes: int) -> frozenset[str]:
    """Empty while it is incomplete, or has too much in it: looked at again when it has changed."""
    try:
        with open_regular(path) as opened:
            names = companions(check_onnx(opened, size_bytes, Effort()))
    except (OSError, InvalidModel, MemoryError, TooMuch):
        return frozenset()
    return frozenset(name for name in names if _is_text(name) and name != path.name)


def _walk(folder: Path | str, prefix: str = "") -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every file below, with its path relative to the model; linked folders are not entered."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if not _is_text(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if name not in _NEVER_ENTERED:
                    yield from _walk(entry.path, name + "/")
            elif not (entry.is_symlink() and entry.is_dir()):
                yield entry, name


def _is_text(name: str) -> bool:
    """Whether the name can be said in a message; a file system allows any bytes."""
    return name.isprintable()
