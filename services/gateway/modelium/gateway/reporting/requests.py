"""The requests that this gateway answers at the moment: to be told of, and to be ended.

The hot path only adds itself here, and takes itself away.
"""

from datetime import timedelta
from typing import Final

from modelium.common.clock import Clock
from modelium.common.ongoing_requests import CancelAnswer, OngoingRequest, RequestsAnswer
from modelium.gateway.access.principal import ANONYMOUS
from modelium.gateway.ongoing import Ongoing
from modelium.gateway.waiting.holding import Holding

MOST: Final = 1000
"""That are told of: an answer over NATS has a bound."""


class Requests(set[Ongoing]):
    """See the module."""

    def __init__(self, *, gateway_id: str, holding: Holding, clock: Clock) -> None:
        super().__init__()
        self._gateway_id = gateway_id
        self._holding = holding
        self._clock = clock

    def answer(self) -> RequestsAnswer:
        """Those there are, the oldest first."""
        oldest = sorted(self, key=lambda request: request.started_s)
        return RequestsAnswer(
            gateway_id=self._gateway_id,
            requests=tuple(map(self._shown, oldest[:MOST])),
            left_out=len(oldest[MOST:]),
        )

    def cancel(self, request_id: str) -> CancelAnswer:
        """End those of this id as if their clients had left; these are told so."""
        found = [request for request in self if request.client.request_id == request_id]
        for request in found:
            request.watch.end()
        return CancelAnswer(gateway_id=self._gateway_id, cancelled=len(found))

    def _shown(self, request: Ongoing) -> OngoingRequest:
        waiter, now_s = request.waiter, self._clock.monotonic()
        waits_s = now_s - waiter.since_s if waiter is not None else 0.0
        key_id = request.principal.key_id
        return OngoingRequest(
            id=request.client.request_id,
            model=request.call.model,
            organization=request.principal.organization,
            key_id=None if key_id == ANONYMOUS else key_id,
            path=request.call.rule.path,
            state="running" if waiter is None else "waiting",
            position=self._holding.progress(waiter).position if waiter is not None else None,
            since=self._clock.now() - timedelta(seconds=now_s - request.started_s),
            waited_s=round(request.waited_s + waits_s, 3),
            gateway_id=self._gateway_id,
            stream=request.call.stream,
        )
