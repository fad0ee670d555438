"""Holds requests that cannot go to an engine now, and says when that is over.

Decides for each held request, whenever its model's record changes or its time is up: wait on, or
give up with this error. That it may go on is `dispatch.py`'s to say, the order of waiting
`room.py`'s, the asking `demand.py`'s.
"""

import math
from datetime import datetime
from typing import Final, NoReturn

from modelium.common.clock import Clock
from modelium.common.origins import BY_CLIENT
from modelium.common.records import ModelRecord, ModelState
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Call
from modelium.gateway.edge.errors_http import ApiError, Loading
from modelium.gateway.engines.breaker import BreakerState
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.outcomes import Failed, Refused, Route, Unknown, Unplaceable
from modelium.gateway.engines.peers import Peers
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.waiting.demand import Demand
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.room import QueueFull, Waiter, WaitingRoom

TICK_S: Final = 0.1
"""How late a deadline, or the end of an engine's pause, may be noticed."""
_HOPELESS_FAILURES: Final = 3
_BUSY_RETRY_S: Final = 1.0


class Holding:
    """The one who lets requests wait and go on."""

    def __init__(
        self,
        *,
        table: RouteTable,
        room: WaitingRoom,
        dispatch: Dispatch,
        demand: Demand,
        eta: Eta,
        announcer: Announcer,
        peers: Peers,
        clock: Clock,
    ) -> None:
        self._table = table
        self._room = room
        self._dispatch = dispatch
        self._demand = demand
        self._eta = eta
        self._announcer = announcer
        self._peers = peers
        self._clock = clock
        self._ends_s = math.inf

    def stop(self, by_s: float) -> None:
        """Let those give up whose model is not expected by then: another gateway can have them."""
        self._ends_s = by_s
        for model in self._room.models():
            self._room.wake(model)

    def join(self, call: Call, organization: str, *, again: bool = False) -> Waiter:
        """Get a place in the model's queue; `leave` must follow.

        `again`: it has been at an engine that died, and goes first.

        Raises:
            ApiError: 429, the queue is full.
        """
        model = call.model
        try:
            waiter = self._room.enter(call, organization, self._clock.monotonic(), again=again)
        except QueueFull as full:
            raise self._refusal(full) from full
        if not self.serves(model):
            first = self._room.count(model) == 1
            waiter.caused_load = first and not self._loads(model)
            waiter.woke = self._sleeps(model)
            self._want(model, anew=first)
        return waiter

    def _want(self, model: str, *, anew: bool) -> None:
        """`anew`: let the orchestrator see who waits as soon as it hears of the wish."""
        self._demand.want(model, anew=anew)
        if anew:
            self._announcer.soon()

    def want(self, model: str) -> Loading:
        """Have a model loaded for somebody who will not wait; how far it is."""
        self._demand.want(model, by=BY_CLIENT)
        return self._loading(model, self._room.count(model))

    def serves(self, model: str) -> bool:
        """Whether it is loaded."""
        return isinstance(self._table.route(model), Route)

    def leave(self, waiter: Waiter) -> None:
        """Give the place up; what was granted and not taken goes to the next."""
        model = waiter.model
        waited = self._room.leave(waiter) or waiter.displaced
        if waiter.lease is not None:
            waiter.lease.leave()
            waiter.lease = None
        if not waited:
            return
        heir = self._room.oldest(model)
        if heir is None:
            self._demand.drop(model)
            self._announcer.soon()
        elif waiter.caused_load:
            heir.caused_load, heir.woke = True, waiter.woke

    async def entered(self, waiter: Waiter, deadline_s: float) -> Lease:
        """Wait until the request may go to an engine.

        Raises:
            ApiError: the model is gone, cannot be loaded now, or did not come to this request by
                `deadline_s`; or the place went to somebody with a better right to it.
        """
        self._dispatch.advance(waiter.model)
        while True:
            if waiter.lease is not None:
                return self._taken(waiter, waiter.lease)
            self._refuse(waiter, deadline_s)
            await waiter.sleep(deadline_s)

    def _taken(self, waiter: Waiter, lease: Lease) -> Lease:
        waiter.lease = None
        record = self._table.record(waiter.model)
        if waiter.caused_load and record is not None:
            waiter.load_took_s = record.wake_s if waiter.woke else record.load_s
        return lease

    def _refuse(self, waiter: Waiter, deadline_s: float) -> None:
        if waiter.displaced:
            raise self._refusal(QueueFull(waiter.model, self._room.count(waiter.model)))
        if self._ends_s < math.inf and self._comes_too_late(waiter.model):
            raise errors.stopping()
        self.refuse_hopeless(waiter.model)
        if self._clock.monotonic() >= deadline_s:
            if self.serves(waiter.model):
                raise self._busy(waiter.model)
            # Its client is told when to come back, so the load must not lapse with this request.
            self._demand.want(waiter.model, by=BY_CLIENT)
            raise errors.model_loading(waiter.model, self.progress(waiter))

    def _comes_too_late(self, model: str) -> bool:
        eta_s = 0 if self.serves(model) else self._eta.of(model)
        return eta_s is None or self._clock.monotonic() + eta_s > self._ends_s

    def _busy(self, model: str) -> ApiError:
        answering = [state for _, state in self._dispatch.instances(model)]
        if BreakerState.CLOSED not in answering:
            reason = "no engine of it answers now"
            return errors.model_unavailable(
                model, reason, retry_after_s=_BUSY_RETRY_S, should_retry=True
            )
        return errors.model_busy(model, self._room.count(model), self._turn_in_s(model))

    def _refusal(self, full: QueueFull) -> ApiError:
        turn_in_s = self._turn_in_s(full.model)
        if full.max_bytes is not None:
            return errors.queue_bytes_full(full.model, full.max_bytes, turn_in_s)
        return errors.queue_full(full.model, full.waiting, turn_in_s)

    def _turn_in_s(self, model: str) -> float:
        """When all that wait for it now will have had their turn."""
        loaded_in_s = 0 if self.serves(model) else self._eta.of(model) or 0
        return max(_BUSY_RETRY_S, loaded_in_s + self._room.empties_in_s(model))

    def refuse_hopeless(self, model: str) -> None:
        """Raise an ApiError if waiting for `model` leads nowhere now: 404, 400 or 503."""
        match self._table.route(model):
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
        # Its client is told when to come back: the next try need not wait for that.
        self._demand.want(record.model, by=BY_CLIENT)
        assert record.retry_at is not None  # `_backs_off` has looked
        raise errors.model_unavailable(
            record.model,
            record.reason,
            retry_after_s=(record.retry_at - self._clock.now()).total_seconds(),
            should_retry=record.failures < _HOPELESS_FAILURES,
        )

    def progress(self, waiter: Waiter) -> Loading:
        """What to tell the one who waits."""
        in_flight = self._dispatch.in_flight_of(waiter.model)
        return self._loading(waiter.model, self._room.position(waiter, in_flight))

    def _loading(self, model: str, position: int) -> Loading:
        record = self._table.record(model)
        return Loading(
            state=record.state if record else "unknown",
            position=position,
            eta_s=self._eta.of(model),
            reason=record.reason if record else "",
        )

    def changed(self, model: str) -> None:
        """A model's record has changed: let those go on, or give up, that wait for it."""
        self._eta.changed(model)
        self._dispatch.changed(model)
        if self._room.count(model) and not self.serves(model):
            self._demand.remind(model)
            self._room.wake(model)

    async def tick(self) -> None:
        """Look after deadlines, and go on asking for what is waited for, until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            now_s = self._clock.monotonic()
            self._peers.expire(now_s)
            self._room.wake_due(now_s)
            for model in self._room.models():
                if self.serves(model):
                    self._dispatch.advance(model)
                else:
                    self._demand.remind(model)

    def _sleeps(self, model: str) -> bool:
        record = self._table.record(model)
        return record is not None and record.state is ModelState.SLEEPING

    def _loads(self, model: str) -> bool:
        record = self._table.record(model)
        return record is not None and record.state is ModelState.LOADING


def _backs_off(record: ModelRecord, now: datetime) -> bool:
    """Whether nobody should wait for the next try.

    An engine that has served and failed for the first time is expected back: its requests wait; so
    do those for one that found no room.
    """
    if record.retry_at is None or record.retry_at <= now:
        return False
    return record.failures > (0 if record.load_s is None else 1)
