"""Reads the watch directories and the models in them.

The only module of the watcher that touches files, besides `analysis.py`, which it calls. All of it
blocks, so every call goes through `asyncio.to_thread`. No link is followed out of a watch
directory, and none of a folder is followed at all within a model.
"""

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.watcher import analysis
from modelium.watcher.formats.overrides import name_of
from modelium.watcher.listing import (
    CONFIG,
    GGUF,
    Candidate,
    File,
    Listing,
    fingerprint,
    is_hidden,
    is_unfinished,
)
from modelium.watcher.scan import Verdict, is_inside

log = structlog.get_logger()


class Analyst(Protocol):
    """Who reads what a candidate is; see `safety/sandbox.py`."""

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        """What it is; raises `InvalidModel` when it cannot be served."""


class ModelFolders:
    """The watch directories; see `handlers.ModelFiles` and `watch.Listings`."""

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        supported: Sequence[str],
        read_by_others: bool,
        analyst: Analyst,
    ) -> None:
        """`read_by_others`: engines run under another user, who has to be able to read."""
        self.roots = tuple(dict.fromkeys(root.expanduser().resolve() for root in roots))
        self._supported = tuple(supported)
        self._read_by_others = read_by_others
        self._analyst = analyst
        self._made: set[Path] = set()
        self._unreadable: set[Path] = set()

    async def prepare(self) -> None:
        """Make the watch directories that are missing."""
        await asyncio.to_thread(self._make_roots)

    def _make_roots(self) -> None:
        for root in self.roots:
            if not root.is_dir():
                root.mkdir(parents=True, exist_ok=True)
                self._made.add(root)

    async def listing(self) -> Listing:
        """What is there now. A directory that cannot be read is left out."""
        return await asyncio.to_thread(self._listing)

    def _listing(self) -> Listing:
        candidates: dict[str, Candidate] = {}
        roots: list[str] = []
        for root in self.roots:
            try:
                names = sorted(path.name for path in root.iterdir())
            except OSError as error:
                self._note_unreadable(root, error)
                continue
            self._unreadable.discard(root)
            found = [it for name in names if (it := self._entry(root, name)) is not None]
            candidates |= {candidate.path: candidate for candidate in found}
            # One that was missing may be a disk that is not mounted: its models are not gone.
            self._made -= {root} if found else set()
            roots += [] if root in self._made else [str(root)]
        return Listing(candidates, tuple(roots))

    def _note_unreadable(self, root: Path, error: OSError) -> None:
        if root not in self._unreadable:
            log.warning("watch_directory.unreadable", path=str(root), reason=error.strerror)
        self._unreadable.add(root)

    def _entry(self, root: Path, name: str) -> Candidate | None:
        if is_hidden(name) or is_unfinished(name) or not _is_text(name):
            return None
        return self._candidate(root / name, root)

    def _candidate(self, path: Path, root: Path) -> Candidate | None:
        """What lies at `path`; None if nothing does, or nothing that can become a model."""
        try:
            return self._found(path, root)
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            return None  # gone in between, or a link that leads nowhere or to itself
        except OSError:
            return Candidate(str(path), (File(".", 0, 0, readable=False),))

    def _found(self, path: Path, root: Path) -> Candidate | None:
        entry = path.lstat()
        if not path.resolve(strict=True).is_relative_to(root):
            return Candidate(str(path), (File(".", 0, entry.st_mtime_ns),), leaves=path.name)
        if path.is_dir():
            return self._folder(path, root)
        if not path.is_file() or not path.name.endswith((*self._supported, GGUF)):
            return None
        file = self._file(path, path.name)
        return Candidate(str(path), (file,) if file else (), is_file=True)

    def _folder(self, path: Path, root: Path) -> Candidate:
        files: list[File] = []
        unfinished = False
        leaves: str | None = None
        others_enter = self._may_enter(path)
        for entry, name in _walk(path):
            if is_unfinished(name) and _counts_as_unfinished(name):
                unfinished = True
            elif any(is_hidden(part) for part in Path(name).parts):
                continue
            elif entry.is_symlink() and not Path(entry).resolve().is_relative_to(root):
                leaves = leaves or name
                files.append(File(name, 0, entry.stat(follow_symlinks=False).st_mtime_ns))
            elif file := self._file(Path(entry), name, others_enter):
                files.append(file)
        files.sort(key=lambda file: file.path)
        return Candidate(str(path), tuple(files), unfinished=unfinished, leaves=leaves)

    def _may_enter(self, folder: Path) -> bool:
        needed = stat.S_IROTH | stat.S_IXOTH
        return not self._read_by_others or folder.stat().st_mode & needed == needed

    def _file(self, path: Path, name: str, others_enter: bool = True) -> File | None:
        try:
            found = path.stat()
        except OSError:
            return None  # gone in between, or a link to nothing
        if not stat.S_ISREG(found.st_mode):
            return None
        readable = os.access(path, os.R_OK)
        if self._read_by_others:
            readable = readable and others_enter and bool(found.st_mode & stat.S_IROTH)
        return File(name, found.st_size, found.st_mtime_ns, readable)

    async def inspect(self, candidate: Candidate) -> Verdict:
        """Its fingerprint, and what it still lacks."""
        return await asyncio.to_thread(self._inspect, candidate)

    def _inspect(self, candidate: Candidate) -> Verdict:
        lacks = analysis.missing(candidate, self._supported)
        return Verdict(candidate, _fingerprint(candidate), lacks, name_of(candidate))

    async def look(self, path: str) -> Verdict:
        """The model at a path that somebody has named.

        Raises:
            InvalidModel: nothing there can be a model.
        """
        return await asyncio.to_thread(self._look, path)

    def _look(self, path: str) -> Verdict:
        if not Path(path).is_absolute():
            raise InvalidModel(f"{path} is not an absolute path")
        named = Path(path).parent.resolve() / Path(path).name
        root = named.parent if self.watches(str(named)) else named.resolve()
        candidate = self._candidate(named, root)
        if candidate is None or not candidate.files:
            raise InvalidModel(f"no model is at {path}, or it may not be read")
        return Verdict(candidate, _fingerprint(candidate), name=name_of(candidate))

    async def analyse(self, candidate: Candidate) -> Descriptor:
        """See `Analyst`."""
        return await self._analyst.analyse(candidate, self._supported)

    def watches(self, path: str) -> bool:
        """Whether the path lies in a watch directory."""
        return is_inside(path, map(str, self.roots))


def _walk(folder: Path, prefix: str = "") -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every file below, with its path relative to the model; linked folders are not entered."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if not _is_text(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry), name + "/")
            elif not (entry.is_symlink() and entry.is_dir()):
                yield entry, name


def _is_text(name: str) -> bool:
    """Whether the name can be said in a message; a file system allows any bytes."""
    return name.isprintable()


def _counts_as_unfinished(name: str) -> bool:
    """Downloaders leave their locks, but no unfinished file, in hidden folders when they end."""
    in_hidden_folder = any(is_hidden(part) for part in Path(name).parts[:-1])
    return not in_hidden_folder or not name.endswith(".lock")


def _fingerprint(candidate: Candidate) -> str:
    try:
        config = (Path(candidate.path) / CONFIG).read_bytes() if not candidate.leaves else b""
    except OSError:
        config = b""
    return fingerprint(candidate.files, config)
