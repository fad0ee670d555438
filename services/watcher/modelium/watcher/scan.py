"""When a model's files have settled, and when what is known of them counts; pure.

Times are seconds of the monotonic clock. The watcher keeps nothing but what it has seen since it
started. What is to be said of it is in `announcements.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from modelium.watcher.listing import Candidate, File, Listing


@dataclass(frozen=True)
class Seen:
    """A candidate as it has been since `since_s`; gone for as long if it is None."""

    candidate: Candidate | None
    since_s: float


@dataclass(frozen=True)
class Verdict:
    """What reading a settled candidate told: why it is not complete, or may not be."""

    candidate: Candidate
    fingerprint: str
    missing: str | None = None
    doubt: str | None = None
    name: str | None = None
    """What its own file calls it."""
    written: File | None = None
    """What somebody has open for writing, which is the doubt."""


@dataclass(frozen=True)
class Waits:
    """How long files have to be unchanged: to be read, to be refused, to be taken as they are."""

    settle_s: float
    missing_s: float
    doubt_s: float

    def of(self, verdict: Verdict) -> float:
        """Until this verdict counts."""
        doubt_s = self.doubt_s if verdict.doubt else 0.0
        return max(doubt_s, self.missing_s if verdict.missing else 0.0)


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


def kept(
    verdicts: Mapping[str, Verdict],
    seen: Mapping[str, Seen],
    now_s: float,
    waits: Waits,
    *,
    rescan: bool,
) -> dict[str, Verdict]:
    """The verdicts that need no new reading: the files are as they were, and it counts already.

    Until it does, what is open for writing is asked for at each look, as closing it changes nothing
    that can be listed; what is incomplete or doubtful is read at each `rescan`.
    """

    def holds(verdict: Verdict, it: Seen | None) -> bool:
        if it is None or it.candidate != verdict.candidate:
            return False
        return _counts(verdict, it, now_s, waits) or not (verdict.written or rescan)

    return {path: verdict for path, verdict in verdicts.items() if holds(verdict, seen.get(path))}


def ready(
    seen: Mapping[str, Seen], verdicts: Mapping[str, Verdict], now_s: float, waits: Waits
) -> dict[str, Verdict]:
    """The settled candidates that are complete, or have waited for long enough."""
    return {
        path: verdict
        for path, verdict in verdicts.items()
        if path in seen
        and seen[path].candidate == verdict.candidate
        and _counts(verdict, seen[path], now_s, waits)
    }


def _counts(verdict: Verdict, it: Seen, now_s: float, waits: Waits) -> bool:
    return now_s - it.since_s >= waits.of(verdict)


def next_look_s(
    seen: Mapping[str, Seen], verdicts: Mapping[str, Verdict], now_s: float, waits: Waits
) -> float | None:
    """How long until something may settle or has waited enough, if nothing changes before."""
    deadlines = [
        it.since_s + wait_s
        for path, it in seen.items()
        for wait_s in _deadlines(it, verdicts.get(path), waits)
    ]
    ahead = [deadline - now_s for deadline in deadlines if deadline > now_s]
    return min(ahead, default=None)


def _deadlines(it: Seen, verdict: Verdict | None, waits: Waits) -> tuple[float, ...]:
    known = verdict is not None and verdict.candidate == it.candidate
    return (waits.settle_s, waits.of(verdict)) if known and verdict else (waits.settle_s,)


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
