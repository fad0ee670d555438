"""When a model may serve: what a client is told that waits for it.

A load is expected to take as long as the last one did. Where models wait for memory, one more thing
lies between two loads on a device: the engine there serves for a while, drains and is stopped. How
long that takes is learned from the last loads that somebody here has waited for, because it depends
on policies, on requests that others send, and on how much memory there is.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Final

from modelium.common.clock import Clock
from modelium.gateway.engines.expected import Turn
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.waiting.room import WaitingRoom

_LEARNED_FROM: Final = 8
"""Loads: the newest, for what they depend on changes."""
_HOLDS_S: Final = 0.1
"""What is the same for all who ask is reckoned anew after this: everybody who waits asks once a
second, and lists ask for all models at once."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """Whose turn is when, of all models that are waited for."""

    now_s: float
    now: datetime
    turn: Turn
    waited_for: list[str]
    free_in_s: Mapping[str, float]
    """Model to when a device may begin its load, if it does not back off."""
    after_all_s: float
    """The same of one that nobody waits for."""


class Eta:
    """See the module."""

    def __init__(self, *, table: RouteTable, room: WaitingRoom, clock: Clock) -> None:
        self._table = table
        self._room = room
        self._clock = clock
        self._turns_s: deque[float] = deque(maxlen=_LEARNED_FROM)
        self._noted: set[str] = set()
        """Models whose load goes on and was counted."""
        self._known: _Moment | None = None

    def of(self, model: str) -> int | None:
        """Expected seconds until `model` serves; 0: it does; None: never."""
        at, table = self._moment(), self._table
        if table.retry_in_s(model, at.now) > 0:
            return table.eta_s(model, at.now_s, at.now, self._room.ahead_of(model), at.turn)
        free_in_s = at.free_in_s.get(model, at.after_all_s)
        return table.eta_once_free_s(model, at.now_s, at.now, free_in_s)

    def _moment(self) -> _Moment:
        now_s, known, waited_for = self._clock.monotonic(), self._known, self._room.models()
        if known and now_s - known.now_s < _HOLDS_S and known.waited_for == waited_for:
            return known
        now, since_s = self._clock.now(), self._room.since_s()
        turn = self._turn(since_s, now_s, now)
        *free_in_s, after_all_s = self._table.free_in_s(since_s, now_s, now, turn)
        by_model = dict(zip(since_s, free_in_s, strict=True))
        self._known = _Moment(now_s, now, turn, waited_for, by_model, after_all_s)
        return self._known

    def changed(self, model: str) -> None:
        """The model's record is another: perhaps its load has begun."""
        self._known = None
        oldest = self._room.oldest(model)
        took_s = self._table.load_began_after_s(model, oldest.since_s) if oldest else None
        if took_s is None:
            self._noted.discard(model)
        elif model not in self._noted:
            self._noted.add(model)
            if not self._has_failed(model):
                self._turns_s.append(took_s)

    def _has_failed(self, model: str) -> bool:
        """Then it was its back-off that was waited for."""
        record = self._table.record(model)
        return record is not None and record.failures > 0

    def _turn(self, since_s: Mapping[str, float], now_s: float, now: datetime) -> Turn:
        could_begin_s = (
            self._table.could_begin_since_s(model, at_s, now_s, now)
            for model, at_s in since_s.items()
        )
        first_s = min((at_s for at_s in could_begin_s if at_s is not None), default=None)
        return Turn(fmean(self._turns_s) if self._turns_s else 0.0, first_s)
