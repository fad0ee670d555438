"""When a model may serve: what a client is told that waits for it.

A load is expected to take as long as the last one did. Where models wait for memory, one more thing
lies between two loads on a device: the engine there serves for a while, drains and is stopped. How
long that takes is learned from the last loads that somebody here has waited for, because it depends
on policies, on requests that others send, and on how much memory there is.
"""

from collections import deque
from statistics import fmean
from typing import Final

from modelium.common.clock import Clock
from modelium.gateway.engines.expected import Turn
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.waiting.room import WaitingRoom

_LEARNED_FROM: Final = 8
"""Loads: the newest, for what they depend on changes."""


class Eta:
    """See the module."""

    def __init__(self, *, table: RouteTable, room: WaitingRoom, clock: Clock) -> None:
        self._table = table
        self._room = room
        self._clock = clock
        self._turns_s: deque[float] = deque(maxlen=_LEARNED_FROM)
        self._noted: set[str] = set()
        """Models whose load goes on and was counted."""

    def of(self, model: str) -> int | None:
        """Expected seconds until `model` serves; 0: it does; None: never."""
        now_s, now, room = self._clock.monotonic(), self._clock.now(), self._room
        return self._table.eta_s(model, now_s, now, room.ahead_of(model), self._turn())

    def changed(self, model: str) -> None:
        """The model's record is another: perhaps its load has begun."""
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

    def _turn(self) -> Turn:
        now_s, now = self._clock.monotonic(), self._clock.now()
        waited_since_s = (
            self._table.could_begin_since_s(model, oldest.since_s, now_s, now)
            for model in self._room.models()
            if (oldest := self._room.oldest(model)) is not None
        )
        since_s = min((at_s for at_s in waited_since_s if at_s is not None), default=None)
        return Turn(fmean(self._turns_s) if self._turns_s else 0.0, since_s)
