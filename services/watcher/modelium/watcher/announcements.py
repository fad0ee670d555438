"""What the store does not know of the watch directories, and in whose name it is said; pure.

A name, an alias too, belongs to the first path that has it. Another path of the same name is
announced under one that stands in for it (`qwen-2`), only to be rejected with the reason: so people
see it, and it gets its name as soon as that is free.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import PurePath
from typing import Final

from modelium.common.records import LIVE_STATES, ModelRecord, ModelState
from modelium.watcher.adapters import is_missed
from modelium.watcher.fitting import aliases_of
from modelium.watcher.listing import served_name
from modelium.watcher.scan import Verdict, is_inside

_LONGEST_STEM: Final = 120
"""Characters of a name before the number that tells it from another model's."""
LONGEST_AGAIN_S: Final = 60.0
_DOUBLINGS: Final = 10
"""More make no longer wait."""
_NOT_ANALYSED: Final = (ModelState.DISCOVERED, ModelState.ANALYZING)


@dataclass(frozen=True)
class Sent:
    """The last announcement of a path: of files, or (no fingerprint) of their removal."""

    fingerprint: str | None
    at_s: float
    count: int
    repeats: int = 0
    """How often the same was said before it, one after the other and without an answer."""


@dataclass(frozen=True)
class Discovery:
    """These files are to be announced as a model."""

    path: str
    model: str
    fingerprint: str
    size_bytes: int
    name_taken_by: str = ""
    """The path that has the name which this one would have: it is to be rejected."""


@dataclass(frozen=True)
class Removal:
    """This model's files are gone, or it has another name from now on."""

    path: str
    model: str
    fingerprint: None = None


Announcement = Discovery | Removal


def announcements(
    found: Mapping[str, Verdict],
    present: Iterable[str],
    roots: tuple[str, ...],
    records: Iterable[ModelRecord],
) -> list[Announcement]:
    """What the store does not know: new or changed files, and the removal of known ones.

    A path keeps the name under which the store knows it, unless its own file gives it another, or
    the name only stands in for another.
    """
    by_path = {record.path: record for record in records}
    names = _Names(by_path.values(), found)
    result: list[Announcement] = []
    for path in sorted(found, key=lambda path: _rank(path, roots)):
        known, verdict = by_path.get(path), found[path]
        if known is None or _stands_in(known, verdict):
            result += names.announce(verdict, known)
        elif _is_renamed(known, verdict):
            result.append(Removal(path, known.model))  # it comes back under its new name
        elif not _is_known(known, verdict, by_path.values()):
            result.append(_discovery(verdict, known.model))
    there = set(present)
    gone = (r for r in by_path.values() if not r.removed and r.path not in there)
    return result + [Removal(r.path, r.model) for r in gone if is_inside(r.path, roots)]


class _Names:
    """Who has which name, while new ones are given."""

    def __init__(self, records: Iterable[ModelRecord], found: Mapping[str, Verdict]) -> None:
        self._records = list(records)
        self._owners = {
            record.model: record.path
            for record in self._records
            if not record.removed and not _stands_in(record, found.get(record.path))
        }
        for record in self._records:
            for alias in aliases_of(record):
                self._owners.setdefault(alias, record.path)
        self._used = {record.model for record in self._records}

    def announce(self, verdict: Verdict, known: ModelRecord | None) -> list[Announcement]:
        """A path without a name of its own gets it, or one that stands in for it."""
        path = verdict.candidate.path
        wanted = wanted_name(verdict)
        owner = self._owners.setdefault(wanted, path)
        if owner == path:
            released: list[Announcement] = [Removal(path, known.model)] if known else []
            return [*released, _discovery(verdict, wanted)]
        if known and _is_known(known, verdict, self._records) and owner in known.reason:
            return []
        name = known.model if known else free_name(wanted, {*self._used, *self._owners})
        self._used.add(name)
        return [_discovery(verdict, name, name_taken_by=owner)]


def _discovery(verdict: Verdict, model: str, *, name_taken_by: str = "") -> Discovery:
    candidate = verdict.candidate
    return Discovery(
        candidate.path, model, verdict.fingerprint, candidate.size_bytes, name_taken_by
    )


def wanted_name(verdict: Verdict) -> str:
    """What the model is called if nobody says otherwise: by its own file, or as it lies there."""
    return verdict.name or served_name(verdict.candidate.path)


def _stands_in(record: ModelRecord, verdict: Verdict | None) -> bool:
    """Whether the record's name is only there to say that another path has the one it wants."""
    wanted = wanted_name(verdict) if verdict else served_name(record.path)
    if not _is_numbered(record.model, wanted):
        return False
    refused = record.state is ModelState.REJECTED and record.reason.startswith(_belongs(wanted))
    return refused or record.state in _NOT_ANALYSED


def _is_numbered(name: str, wanted: str) -> bool:
    return re.fullmatch(re.escape(wanted[:_LONGEST_STEM]) + r"-\d+", name) is not None


def name_is_taken(verdict: Verdict, owner: str) -> str:
    """The reason for which a path is rejected whose name another one has."""
    path = verdict.candidate.path
    return (
        f"{_belongs(wanted_name(verdict))}{owner}: rename {path}, "
        "or remove the other, to have it served"
    )


def _belongs(name: str) -> str:
    return f"the name {name} belongs to "


def _is_renamed(record: ModelRecord, verdict: Verdict) -> bool:
    """Whether its own file calls it something else now; an earlier version served some as `-2`."""
    wanted = verdict.name
    if wanted is None or record.removed:
        return False
    return record.model != wanted and not _is_numbered(record.model, wanted)


def _is_known(record: ModelRecord, verdict: Verdict, records: Iterable[ModelRecord]) -> bool:
    """Also while the files of a model that runs are replaced by incomplete ones: they may come."""
    if verdict.missing and record.state in LIVE_STATES and not record.removed:
        return True
    if record.removed or record.state in _NOT_ANALYSED or _waits_for_analysis(record):
        return False
    return record.fingerprint == verdict.fingerprint and not is_missed(record, records)


def _waits_for_analysis(record: ModelRecord) -> bool:
    """Whether an engine serves, and what its model's files are now was not said yet."""
    return record.state in LIVE_STATES and not (record.files_analysed or record.files_rejected)


def _rank(path: str, roots: tuple[str, ...]) -> tuple[int, str]:
    """The first watch directory has the first choice of names."""
    root = str(PurePath(path).parent)
    return (roots.index(root) if root in roots else len(roots), path)


def free_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or it with the first number that no other model has."""
    names = set(taken)
    if name not in names:
        return name
    numbered = (f"{name[:_LONGEST_STEM]}-{number}" for number in count(2))
    return next(candidate for candidate in numbered if candidate not in names)


def is_due(announcement: Announcement, sent: Sent | None, now_s: float, *, again_s: float) -> bool:
    """Whether to say it: not twice in a row, until the registry has had `again_s` to hear it.

    Each repeat waits twice as long as the one before, up to `LONGEST_AGAIN_S`: many models that are
    discovered at once wait for their analysis, and would be announced all over again meanwhile.
    """
    if sent is None or sent.fingerprint != announcement.fingerprint:
        return True
    return now_s - sent.at_s >= max(
        again_s, min(LONGEST_AGAIN_S, again_s * 2.0 ** min(sent.repeats, 30))
    )


def after_sending(announcement: Announcement, sent: Sent | None, now_s: float) -> Sent:
    """What to remember of it."""
    if sent is None:
        return Sent(announcement.fingerprint, now_s, 1)
    again = sent.fingerprint == announcement.fingerprint
    return Sent(announcement.fingerprint, now_s, sent.count + 1, sent.repeats + 1 if again else 0)


def after_answer(sent: Sent) -> Sent:
    """What to remember once the store knows it: a store that loses it hears it soon again."""
    return replace(sent, repeats=0)
