"""Reads the watch directories and the models in them.

All of it blocks, so every call goes through `asyncio.to_thread`; the work is in `folders.py` and
`completeness/`. What a model is, an `Analyst` finds out in a process of its own.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog

from modelium.common.descriptor import Descriptor
from modelium.common.errors import InvalidModel
from modelium.watcher.completeness.judge import Judgement, is_written, judge, path_of
from modelium.watcher.folders import Lister, Rules
from modelium.watcher.formats.overrides import name_of
from modelium.watcher.listing import CONFIG, Candidate, Listing, fingerprint
from modelium.watcher.regular import open_regular
from modelium.watcher.safety.limits import CONFIG_BYTES
from modelium.watcher.scan import Verdict, is_inside

log = structlog.get_logger()


class Analyst(Protocol):
    """Who reads what a candidate is; see `safety/sandbox.py`."""

    async def analyse(self, candidate: Candidate, supported: Sequence[str]) -> Descriptor:
        """What it is; raises `InvalidModel` when it cannot be served."""

    @property
    def asks_for_signature(self) -> bool:
        """Whether a model's signature decides about it."""

    def terms(self, path: str) -> str:
        """What of the settings its verdict depends on: with other terms it is looked at again."""


class ModelFolders:
    """The watch directories; see `handlers.ModelFiles` and `watch.Listings`."""

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        supported: Sequence[str],
        read_by_others: bool,
        analyst: Analyst,
        links_outside: bool = False,
    ) -> None:
        """`read_by_others`: engines run under another user, who has to be able to read."""
        self.roots = tuple(dict.fromkeys(root.expanduser().resolve() for root in roots))
        self._supported = tuple(supported)
        self._analyst = analyst
        self._lister = Lister(Rules(self._supported, read_by_others, links_outside))
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
                found = self._lister.entries(root)
            except OSError as error:
                self._note_unreadable(root, error)
                continue
            self._unreadable.discard(root)
            candidates |= {candidate.path: candidate for candidate in found}
            # One that was missing may be a disk that is not mounted: its models are not gone.
            self._made -= {root} if found else set()
            roots += [] if root in self._made else [str(root)]
        return Listing(candidates, tuple(roots))

    def _note_unreadable(self, root: Path, error: OSError) -> None:
        if root not in self._unreadable:
            log.warning("watch_directory.unreadable", path=str(root), reason=error.strerror)
        self._unreadable.add(root)

    async def inspect(self, candidate: Candidate, before: Verdict | None = None) -> Verdict:
        """See `watch.Listings`."""
        return await asyncio.to_thread(self._inspect, candidate, before)

    def _inspect(self, candidate: Candidate, before: Verdict | None) -> Verdict:
        written = before.written if before and before.candidate == candidate else None
        if before and written and is_written(candidate, written):
            return before
        found, name = _judge(candidate), name_of(candidate)
        print_ = self._fingerprint(candidate)
        return Verdict(candidate, print_, found.missing, found.doubt, name, found.written)

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
        candidate = self._lister.named(named, root)
        if candidate is None or not candidate.files:
            raise InvalidModel(f"no model is at {path}, or it may not be read")
        return Verdict(candidate, self._fingerprint(candidate), name=name_of(candidate))

    async def analyse(self, candidate: Candidate) -> Descriptor:
        """See `Analyst`.

        Raises:
            InvalidModel: it cannot be served, or something is missing that the analysis needs not.
        """
        described = await self._analyst.analyse(candidate, self._supported)
        lacks = (await asyncio.to_thread(_judge, candidate)).missing
        if lacks:
            raise InvalidModel(lacks)
        return described

    def _fingerprint(self, candidate: Candidate) -> str:
        terms = self._analyst.terms(candidate.path).encode()
        files = candidate.files if self._analyst.asks_for_signature else candidate.unsigned
        return fingerprint(files, _config(candidate) + terms)

    def watches(self, path: str) -> bool:
        """Whether the path lies in a watch directory."""
        return is_inside(path, map(str, self.roots))


def _judge(candidate: Candidate) -> Judgement:
    """What one model's files ask for must not end the watcher of all."""
    try:
        return judge(candidate)
    except MemoryError:
        return Judgement("reading it takes more memory than there is")


def _config(candidate: Candidate) -> bytes:
    """As much of it as an honest one has; nothing where none is listed, or it cannot be read."""
    listed = next((file for file in candidate.files if file.path == CONFIG), None)
    if candidate.leaves or listed is None:
        return b""
    try:
        with open_regular(path_of(candidate, listed)) as opened:
            return opened.read(CONFIG_BYTES)
    except OSError:
        return b""
