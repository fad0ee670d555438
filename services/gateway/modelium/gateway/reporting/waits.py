"""Notes which requests waited for a load, for `modelium explain`; written once a second.

Requests for a loaded model never come here. What cannot be written, or is too much, is dropped:
an explanation is no reason to hold anything up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.common.history import RequestRecord
from modelium.common.records import ModelState
from modelium.common.store import Store
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.routing import RouteTable

WRITE_EVERY_S: Final = 1.0
MOST_DUE: Final = 1000
SERVED: Final = "served"
LEFT: Final = "left"

log = structlog.get_logger()


class WaitLog:
    """What is to be noted and was not written yet."""

    def __init__(self, *, table: RouteTable, store: Store, clock: Clock, gateway_id: str) -> None:
        self._table = table
        self._store = store
        self._clock = clock
        self._gateway_id = gateway_id
        self._due: dict[tuple[str, str, datetime], RequestRecord] = {}
        """By id, model and beginning: clients may give two requests one id."""

    @contextmanager
    def waiting(self, request_id: str, model: str) -> Iterator[None]:
        """Note a request's wait, and how it ends; nothing if the model is loaded."""
        record = self._table.record(model)
        if record is None or record.state is ModelState.LOADED:
            yield
            return
        began_s, ended = self._clock.monotonic(), LEFT
        noted = RequestRecord(
            request_id=request_id,
            model=model,
            gateway_id=self._gateway_id,
            found=record.state,
            since=self._clock.now(),
        )
        self._note(noted)
        try:
            yield
            ended = SERVED
        except ApiError as error:
            ended = error.code
            raise
        finally:
            waited_s = round(self._clock.monotonic() - began_s, 3)
            self._note(noted.model_copy(update={"waited_s": waited_s, "ended": ended}))

    def _note(self, record: RequestRecord) -> None:
        wait = (record.request_id, record.model, record.since)
        if wait in self._due or len(self._due) < MOST_DUE:
            self._due[wait] = record

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            await self._clock.sleep(WRITE_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Write it now, or drop it."""
        due, self._due = tuple(self._due.values()), {}
        try:
            await self._store.history.note_requests(due)
        except DependencyUnavailable as error:
            log.warning("gateway.waits_not_noted", requests=len(due), reason=str(error))
