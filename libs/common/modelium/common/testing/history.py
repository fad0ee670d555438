"""What is kept for explaining, in memory: bounded in number and time like the real one."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.history import (
    BOUNDS,
    Bounds,
    DecisionRecord,
    DecisionsPage,
    NoSuchDecision,
    RequestRecord,
)

T = TypeVar("T")


class _Kept(Generic[T]):
    """The newest `most` of a kind, each for a while."""

    def __init__(self, clock: Clock, kept_for: timedelta, most: int) -> None:
        self._clock = clock
        self._kept_for = kept_for
        self._most = most
        self._noted: dict[str, tuple[datetime, T]] = {}

    def note(self, name: str, record: T) -> None:
        self._noted[name] = (self._clock.now() + self._kept_for, record)
        while len(self._noted) > self._most:
            del self._noted[next(iter(self._noted))]

    def get(self, name: str) -> T | None:
        ends, record = self._noted.get(name, (self._clock.now(), None))
        return record if self._clock.now() < ends else None

    def all(self) -> list[T]:
        found = [self.get(name) for name in self._noted]
        return [record for record in found if record is not None]


class InMemoryHistory:
    """Implements `store.History`."""

    def __init__(self, clock: Clock, answers: Callable[[], bool], bounds: Bounds = BOUNDS) -> None:
        self._answers = answers
        self._bounds = bounds
        self._decisions: _Kept[DecisionRecord] = _Kept(
            clock, bounds.decisions_for, bounds.decisions
        )
        self._requests: _Kept[RequestRecord] = _Kept(clock, bounds.requests_for, bounds.requests)

    async def note_decision(self, record: DecisionRecord) -> None:
        self._must_answer()
        self._decisions.note(record.decision_id, record)

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        self._must_answer()
        return self._decisions.get(decision_id)

    async def decisions(self, *, most: int, before: str | None = None) -> DecisionsPage:
        self._must_answer()
        kept = self._decisions.all()[::-1]
        if before is not None:
            ids = [record.decision_id for record in kept]
            if before not in ids:
                raise NoSuchDecision(before)
            kept = kept[ids.index(before) + 1 :]
        more = len(kept) > most
        return DecisionsPage(tuple(kept[:most]), kept[most - 1].decision_id if more else None)

    async def decisions_of(self, model: str, *, most: int) -> list[DecisionRecord]:
        self._must_answer()
        about = [record for record in self._decisions.all() if model in record.models()]
        return about[-min(most, self._bounds.decisions_per_model) :]

    async def note_requests(self, records: Sequence[RequestRecord]) -> None:
        self._must_answer()
        for record in records:
            kept = self._requests.get(record.request_id)
            if kept is None or kept.is_of(record):
                self._requests.note(record.request_id, record)

    async def request(self, request_id: str) -> RequestRecord | None:
        self._must_answer()
        return self._requests.get(request_id)

    def _must_answer(self) -> None:
        if not self._answers():
            raise DependencyUnavailable("The store in memory is away", "Set `answers` again")
