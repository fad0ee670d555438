"""A system with two orchestrators as their processes wire them, of which one leads.

What either reaches the lease by can be shut, as for one whose network is cut.
"""

from modelium.common.lease import Lease
from modelium.common.testing import InMemoryLeaseCell
from modelium.orchestrator.fenced_bus import FencedBus
from modelium.orchestrator.leading import Leading
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync
from tests.lease_door import Door
from tests.properties.system import System

NAMES = ("first", "second")
LEASE_S = 4.0


class Pair(System):
    """Both follow; who leads is up to the lease."""

    def start_orchestrator(self) -> None:
        """Both."""
        cell = InMemoryLeaseCell()
        self.doors = {name: Door(cell) for name in NAMES}
        for name in NAMES:
            self.start_one(name)

    def start_one(self, name: str) -> None:
        """It knows nothing yet, and may come to lead."""
        lease = Lease(self.doors[name], name="test", holder=name, seconds=LEASE_S, clock=self.clock)
        bus = FencedBus(self.bus, lease)
        owner = Owner(bus=bus, clock=self.clock, settings=self.settings, leads=False)
        resync = Resync(store=self.store, owner=owner, clock=self.clock)
        leading = Leading(
            lease=lease,
            bus=bus,
            clock=self.clock,
            owner=owner,
            resync=resync,
            orchestrator_id=name,
        )
        self.begin(
            name,
            *self.minding(owner, resync),
            lease.run(),
            lease.while_leading(leading.term),
            lease.while_leading(lambda: self.consuming(owner)),
        )

    async def kill_one(self, name: str) -> None:
        """Without a word: its lease has to end."""
        self.doors[name].shut = True
        await self.stop(name)
        self.doors[name].shut = False
