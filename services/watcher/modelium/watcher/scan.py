"""When a model's files have settled, and what is to be announced about them; pure.

Times are seconds of the monotonic clock. The watcher keeps nothing but what it has seen since it
started: what it has announced is in the store, and is announced again if the store lacks it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import PurePath
from typing import Final

from modelium.common.records import ModelRecord, ModelState
from modelium.watcher.adapters import is_missed
from modelium.watcher.listing import Candidate, Listing, served_name

_LONGEST_STEM: Final = 120
"""Characters of a name before the number that tells it from another model's."""
_NOT_ANALYSED: Final = (ModelState.DISCOVERED, ModelState.ANALYZING)


@dataclass(frozen=True)
class Seen:
    """A candidate as it has been since `since_s`; gone for as long if it is None."""

    candidate: Candidate | None
    since_s: float


@dataclass(frozen=True)
class Verdict:
    """What reading a settled candidate told: `missing` says why it is not complete."""

    candidate: Candidate
    fingerprint: str
    missing: str | None = None
    name: str | None = None
    """What its own file calls it."""


@dataclass(frozen=True)
class Sent:
    """The last announcement of a path: of files, or (no fingerprint) of their removal."""

    fingerprint: str | None
    at_s: float
    count: int


@dataclass(frozen=True)
class Discovery:
    """These files are to be announced as a model."""

    path: str
    model: str
    fingerprint: str
    size_bytes: int


@dataclass(frozen=True)
class Removal:
    """This model's files are gone."""

    path: str
    model: str
    fingerprint: None = None


Announcement = Discovery | Removal


def observe(
    previous: Mapping[str, Seen], listing: Listing, now_s: float, *, settle_s: float
) -> dict[str, Seen]:
    """Bring what was seen up to date; what is gone is remembered until that has settled too.

    A watch directory that cannot be read says nothing: what was seen in it stays as it was.
    """
    seen = {path: _aged(previous.get(path), it, now_s) for path, it in listing.candidates.items()}
    for path, before in previous.items():
        if path in seen:
            continue
        if not is_inside(path, listing.roots):
            seen[path] = before
            continue
        gone = _aged(before, None, now_s)
        if now_s - gone.since_s < settle_s:
            seen[path] = gone
    return seen


def _aged(before: Seen | None, candidate: Candidate | None, now_s: float) -> Seen:
    if before is not None and before.candidate == candidate:
        return before
    return Seen(candidate, now_s)


def settled(seen: Mapping[str, Seen], now_s: float, *, settle_s: float) -> list[Candidate]:
    """The candidates that have not changed for `settle_s` and have anything to read."""
    return [
        it.candidate
        for it in seen.values()
        if _can_settle(it.candidate) and it.candidate and now_s - it.since_s >= settle_s
    ]


def _can_settle(candidate: Candidate | None) -> bool:
    return candidate is not None and bool(candidate.files) and not candidate.unfinished


def ready(
    seen: Mapping[str, Seen], verdicts: Mapping[str, Verdict], now_s: float, *, patience_s: float
) -> dict[str, Verdict]:
    """The settled candidates that are complete, or have been incomplete for too long."""
    return {
        path: verdict
        for path, verdict in verdicts.items()
        if path in seen
        and seen[path].candidate == verdict.candidate
        and (verdict.missing is None or now_s - seen[path].since_s >= patience_s)
    }


def next_look_s(
    seen: Mapping[str, Seen],
    verdicts: Mapping[str, Verdict],
    now_s: float,
    *,
    settle_s: float,
    patience_s: float,
) -> float | None:
    """How long until something may settle or has waited enough, if nothing changes before."""
    deadlines = [
        it.since_s + wait_s
        for path, it in seen.items()
        for wait_s in _waits(it, verdicts.get(path), settle_s, patience_s)
    ]
    ahead = [deadline - now_s for deadline in deadlines if deadline > now_s]
    return min(ahead, default=None)


def _waits(
    it: Seen, verdict: Verdict | None, settle_s: float, patience_s: float
) -> tuple[float, ...]:
    incomplete = verdict and verdict.candidate == it.candidate and verdict.missing
    return (settle_s, patience_s) if incomplete else (settle_s,)


def announcements(
    found: Mapping[str, Verdict],
    present: Iterable[str],
    roots: tuple[str, ...],
    records: Iterable[ModelRecord],
) -> list[Announcement]:
    """What the store does not know: new or changed files, and the removal of known ones.

    A path keeps the name under which the store knows it, unless its own file gives it another. A
    new one gets its file's or its folder's name, with `-2`, `-3` … where another model has it.
    """
    by_path = {record.path: record for record in records}
    names = {record.model for record in by_path.values()}
    result: list[Announcement] = []
    for path in sorted(found, key=lambda path: _rank(path, roots)):
        known = by_path.get(path)
        verdict = found[path]
        if known is not None and _is_renamed(known, verdict):
            result.append(Removal(path, known.model))  # it comes back under its new name
            continue
        if known is not None and _is_known(known, verdict, by_path.values()):
            continue
        model = known.model if known else free_name(verdict.name or served_name(path), names)
        names.add(model)
        result.append(Discovery(path, model, verdict.fingerprint, verdict.candidate.size_bytes))
    there = set(present)
    gone = (r for r in by_path.values() if not r.removed and r.path not in there)
    return result + [Removal(r.path, r.model) for r in gone if is_inside(r.path, roots)]


def _is_known(record: ModelRecord, verdict: Verdict, records: Iterable[ModelRecord]) -> bool:
    if record.removed or record.state in _NOT_ANALYSED:
        return False
    return record.fingerprint == verdict.fingerprint and not is_missed(record, records)


def _is_renamed(record: ModelRecord, verdict: Verdict) -> bool:
    """Whether its own file calls it something else now; `-2` stands where the name was taken."""
    wanted = verdict.name
    if wanted is None or record.removed:
        return False
    numbered = re.fullmatch(re.escape(wanted[:_LONGEST_STEM]) + r"-\d+", record.model)
    return record.model != wanted and not numbered


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
    """Whether to say it: not twice in a row, until the registry has had `again_s` to hear it."""
    if sent is None or sent.fingerprint != announcement.fingerprint:
        return True
    return now_s - sent.at_s >= again_s


def after_sending(announcement: Announcement, sent: Sent | None, now_s: float) -> Sent:
    """What to remember of it."""
    return Sent(announcement.fingerprint, now_s, sent.count + 1 if sent else 1)


def present(seen: Mapping[str, Seen], now_s: float, *, settle_s: float) -> set[str]:
    """The paths that are there; one that was emptied or vanished counts until that has settled."""
    return {
        path
        for path, it in seen.items()
        if _has_content(it.candidate) or now_s - it.since_s < settle_s
    }


def _has_content(candidate: Candidate | None) -> bool:
    return candidate is not None and (bool(candidate.files) or candidate.unfinished)


def is_inside(path: str, roots: Iterable[str]) -> bool:
    """Whether `path` lies directly in one of these directories."""
    return str(PurePath(path).parent) in set(roots)
