"""Holds requests while their model is not loaded, and says when that is over.

Decides for each held request, whenever its model's record changes or its time is up: go there, wait
on, or give up with this error. The order of waiting is `waiting.py`'s, the asking `demand.py`'s.
"""

import math
from datetime import datetime
from typing import Final, NoReturn

from modelium.common.clock import Clock
from modelium.common.records import ModelRecord
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.errors_http import Loading
from modelium.gateway.engines.routing import (
    Failed,
    Refused,
    Route,
    RouteTable,
    Unknown,
    Unplaceable,
    Waiting,
)
from modelium.gateway.waiting.demand import Demand
from modelium.gateway.waiting.room import QueueFull, Waiter, WaitingRoom

TICK_S: Final = 0.1
"""How late a deadline may be noticed."""
_HOPELESS_FAILURES: Final = 3


class Holding:
    """The one who lets requests wait and go on."""

    def __init__(
        self, *, table: RouteTable, room: WaitingRoom, demand: Demand, clock: Clock
    ) -> None:
        self._table = table
        self._room = room
        self._demand = demand
        self._clock = clock

    def join(self, model: str) -> Waiter:
        """Get a place in the model's queue; `leave` must follow.

        Raises:
            ApiError: 429, the queue is full.
        """
        now_s = self._clock.monotonic()
        try:
            waiter = self._room.enter(model, now_s)
        except QueueFull as full:
            eta_s = self._table.eta_s(model, now_s) or 1
            raise errors.queue_full(model, full.waiting, eta_s) from full
        first = self._room.count(model) == 1
        self._demand.want(model, anew=first and not self._table.is_suspect(model, now_s))
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Give the place up."""
        self._room.leave(waiter)

    async def routed(self, waiter: Waiter, deadline_s: float) -> Route:
        """Wait until the model is loaded.

        Raises:
            ApiError: it is gone, cannot be loaded now, or was not loaded by `deadline_s`.
        """
        while True:
            now_s = self._clock.monotonic()
            outcome = self._table.route(waiter.model, now_s)
            if isinstance(outcome, Route):
                return outcome
            self.refuse_hopeless(waiter.model)
            if now_s >= deadline_s:
                raise errors.model_loading(waiter.model, self.progress(waiter))
            recheck_s = outcome.recheck_at_s if isinstance(outcome, Waiting) else None
            await waiter.sleep(min(deadline_s, recheck_s or math.inf))

    def refuse_hopeless(self, model: str) -> None:
        """Raise an ApiError if waiting for `model` leads nowhere now: 404, 400 or 503."""
        match self._table.route(model, self._clock.monotonic()):
            case Unknown():
                raise errors.model_not_found(model)
            case Refused(reason):
                raise errors.model_rejected(model, reason)
            case Unplaceable(reason):
                self._demand.want(model)  # it is looked at again: there may be a device now
                raise errors.model_unplaceable(model, reason)
            case Failed(record) if _backs_off(record, self._clock.now()):
                self._refuse_failed(record)

    def _refuse_failed(self, record: ModelRecord) -> NoReturn:
        self._demand.want(record.model)
        assert record.retry_at is not None  # `_backs_off` has looked
        raise errors.model_unavailable(
            record.model,
            record.reason,
            retry_after_s=(record.retry_at - self._clock.now()).total_seconds(),
            should_retry=record.failures < _HOPELESS_FAILURES,
        )

    def progress(self, waiter: Waiter) -> Loading:
        """What to tell the one who waits."""
        record = self._table.record(waiter.model)
        return Loading(
            state=record.state if record else "unknown",
            position=self._room.position(waiter),
            eta_s=self._table.eta_s(waiter.model, self._clock.monotonic()),
            reason=record.reason if record else "",
        )

    async def tick(self) -> None:
        """Look after deadlines, and go on asking for what is waited for, until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            self._room.wake_due(self._clock.monotonic())
            for model in self._room.models():
                self._demand.want(model)


def _backs_off(record: ModelRecord, now: datetime) -> bool:
    """Whether nobody should wait for the next try.

    An engine that has served and failed for the first time is expected back: its requests wait.
    """
    if record.retry_at is None or record.retry_at <= now:
        return False
    return record.failures > 1 or record.load_s is None
