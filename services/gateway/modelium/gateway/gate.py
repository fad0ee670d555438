"""Whether new requests are let in, and what ends when the gateway stops."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modelium.gateway.edge import errors_http as errors

T = TypeVar("T")


@dataclass(kw_only=True)
class Gate:
    """Closed while the gateway starts and stops."""

    known: bool = False
    """Whether the models were read once: before that, an unknown model proves nothing."""
    _stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stopping(self) -> bool:
        """Whether nothing new is let in any more."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Let nothing new in, and end what goes on for as long as the gateway does."""
        self._stopped.set()

    async def is_known(self) -> bool:
        """Whether requests can be answered; for readiness."""
        return self.known

    def refuse_if_closed(self) -> None:
        """Raise ApiError 503 while it is closed."""
        if self.stopping:
            raise errors.stopping()
        if not self.known:
            raise errors.unavailable("The gateway is starting; it does not know its models yet.")

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` returns; None once the gateway stops: it is cancelled then.

        Streams that have no end wait so, or the gateway would wait for them.
        """
        async with asyncio.TaskGroup() as group:
            stop, task = group.create_task(self._stopped.wait()), group.create_task(work)
            await asyncio.wait({stop, task}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            task.cancel()
        return None if task.cancelled() else task.result()
