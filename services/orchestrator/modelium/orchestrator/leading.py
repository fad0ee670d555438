"""One term as the orchestrator that leads: the owner of the state acts, and everybody is told.

Who does not lead follows everything and does nothing, so that it knows what there is to know when
its turn comes.
"""

from typing import Final

from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.events import OrchestratorHeartbeat
from modelium.common.lease import Lease
from modelium.orchestrator.owner import Owner, TermBegan, TermEnded
from modelium.orchestrator.resync import Resync

HEARTBEAT_S: Final = 1.0


class Leading:
    """Give `term` to `Lease.while_leading`."""

    def __init__(
        self,
        *,
        lease: Lease,
        bus: Bus,
        clock: Clock,
        owner: Owner,
        resync: Resync,
        orchestrator_id: str,
    ) -> None:
        self._lease = lease
        self._bus = bus
        self._clock = clock
        self._owner = owner
        self._resync = resync
        self._id = orchestrator_id

    async def term(self) -> None:
        """Lead until cancelled. Agents hear of the epoch at once, before any command of it."""
        self._owner.post(TermBegan())
        await self._resync.soon()
        try:
            while True:
                epoch = self._lease.epoch
                if epoch is not None:
                    heartbeat = OrchestratorHeartbeat(orchestrator_id=self._id, epoch=epoch)
                    await self._bus.publish(heartbeat)
                await self._clock.sleep(HEARTBEAT_S)
        finally:
            self._owner.post(TermEnded())
