"""The parts of a gateway that route and hold, with a clock and a bus that the test owns."""

from random import Random
from typing import Any

from modelium.common.events import ModelRequested
from modelium.common.records import InstanceEndpoint, ModelState
from modelium.common.testing import FakeClock, InMemoryBus, a_model_record
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.instance import Lease
from modelium.gateway.engines.peers import Peers
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.demand import Demand
from modelium.gateway.waiting.eta import Eta
from modelium.gateway.waiting.holding import Holding
from modelium.gateway.waiting.room import WaitingRoom
from tests.unit.gateway.calls import a_call


class World:
    """One model, `qwen`, that is not loaded yet."""

    def __init__(
        self, *, max_waiting: int = 2, max_bytes: int = 1000, max_in_flight: int = 100
    ) -> None:
        self.clock = FakeClock()
        self.bus = InMemoryBus(clock=self.clock)
        self.table = RouteTable()
        self.room = WaitingRoom(max_waiting, max_bytes)
        self.stats = Stats(self.clock)
        self.peers = Peers("g")
        self.announcer = Announcer(
            gateway_id="g",
            table=self.table,
            room=self.room,
            stats=self.stats,
            bus=self.bus,
            clock=self.clock,
        )
        self.demand = Demand(self.bus, self.clock)
        self.dispatch = Dispatch(
            table=self.table,
            room=self.room,
            stats=self.stats,
            announcer=self.announcer,
            peers=self.peers,
            clock=self.clock,
            max_in_flight=max_in_flight,
            random=Random(1),
        )
        self.eta = Eta(table=self.table, room=self.room, clock=self.clock)
        self.holding = Holding(
            table=self.table,
            room=self.room,
            dispatch=self.dispatch,
            demand=self.demand,
            eta=self.eta,
            announcer=self.announcer,
            peers=self.peers,
            clock=self.clock,
        )
        self.version = 0
        self.become()

    def become(self, **changes: Any) -> None:
        """The model's next record, from now on."""
        self.version += 1
        record = a_model_record(version=self.version, **changes)
        self.table.apply(record, self.clock.monotonic())
        self.holding.changed("qwen")

    def loaded(self, *generations: int, device_count: int = 1, wake_s: float | None = None) -> None:
        """Engines of these generations serve."""
        endpoints = [
            InstanceEndpoint(
                instance_id=f"qwen.{generation}",
                generation=generation,
                url=f"http://e{generation}",
                device_count=device_count,
            )
            for generation in generations
        ]
        self.become(state=ModelState.LOADED, endpoints=endpoints, load_s=7.0, wake_s=wake_s)

    def enter(self, organization: str = "", body: bytes = b"{}") -> Lease:
        """A request that goes to an engine at once."""
        lease = self.dispatch.enter(a_call(body=body), organization)
        assert lease is not None
        return lease

    async def hold(self, timeout_s: float, organization: str = "") -> Lease:
        """Wait in the queue until the request may go."""
        waiter = self.holding.join(a_call(), organization)
        try:
            return await self.holding.entered(waiter, self.clock.monotonic() + timeout_s)
        finally:
            self.holding.leave(waiter)

    def asked(self) -> int:
        """How often the model was asked for."""
        return len(self.bus.of(ModelRequested))
