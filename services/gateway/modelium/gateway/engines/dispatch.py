"""Lets requests go to instances: takes the route and the lease in one step of the loop.

What the hot path asks (`enter`), and what lets those go on that wait (`advance`, in the order of
`waiting/room.py`). Knows each instance's load and breaker; whether the model is loaded is
`routing.py`'s, the choice among several `balancing.py`'s.
"""

from dataclasses import dataclass, field
from random import Random

from modelium.common.clock import Clock
from modelium.common.events import GatewayStats
from modelium.gateway.edge.call import Call
from modelium.gateway.engines.affinity import Affinity
from modelium.gateway.engines.balancing import Candidate, choose
from modelium.gateway.engines.breaker import BreakerState
from modelium.gateway.engines.instance import Instance, Lease
from modelium.gateway.engines.outcomes import Outcome, Route
from modelium.gateway.engines.peers import Peers
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.announcing import Announcer
from modelium.gateway.reporting.stats import Stats
from modelium.gateway.waiting.room import WaitingRoom


@dataclass(slots=True)
class _Pool:
    """One model's instances, as of the outcome they were made from."""

    outcome: Outcome | None = None
    routed: list[Instance] = field(default_factory=list)
    organizations: dict[str, int] = field(default_factory=dict)
    """Requests in flight by who sent them."""


class Dispatch:
    """See the module."""

    def __init__(
        self,
        *,
        table: RouteTable,
        room: WaitingRoom,
        stats: Stats,
        announcer: Announcer,
        peers: Peers,
        clock: Clock,
        max_in_flight: int,
        random: Random,
    ) -> None:
        self.clock = clock
        self._table = table
        self._room = room
        self._stats = stats
        self._announcer = announcer
        self._peers = peers
        self._max_in_flight = max_in_flight
        self._random = random
        self._affinity = Affinity()
        self._pools: dict[str, _Pool] = {}

    def enter(self, call: Call, organization: str) -> Lease | None:
        """A lease, if the request may go to an engine now: nobody waits in front of it, an engine
        is loaded, has not just failed, and has room. Never awaits.
        """
        if self._room.count(call.model):
            return None
        return self._take(call, organization)

    def advance(self, model: str) -> None:
        """Hand leases to those who wait for `model`, as many as there is room for."""
        while self._room.count(model):
            waiter = self._room.next(model, self.in_flight_of(model))
            lease = self._take(waiter.call, waiter.organization)
            if lease is None:
                return
            self._room.let_go(waiter, self.clock.monotonic())
            waiter.grant(lease)

    def changed(self, model: str) -> None:
        """Its record has changed."""
        self._pool(model)
        self.advance(model)

    def heard(self, stats: GatewayStats) -> None:
        """A gateway, perhaps this one, has said what it does."""
        self._peers.heard(stats, self.clock.monotonic())

    def in_flight_of(self, model: str) -> dict[str, int]:
        """A model's requests in flight by organisation."""
        pool = self._pools.get(model)
        return pool.organizations if pool else {}

    def instances(self, model: str) -> list[tuple[int, BreakerState]]:
        """Requests in flight and the breaker's state of each instance that is routed."""
        now_s = self.clock.monotonic()
        pool = self._pool(model)
        return [(i.in_flight, i.breaker.state(now_s)) for i in pool.routed] if pool else []

    def given_back(self, lease: Lease) -> None:
        """See `instance.Returns`."""
        model = lease.model
        organizations = self._pools[model].organizations
        organizations[lease.organization] -= 1
        if not organizations[lease.organization]:
            del organizations[lease.organization]
            self._drop_if_idle(model)
        if self._stats.leave(model, lease.generation):
            self._announcer.engine_idle(model, lease.generation)
        self.advance(model)

    def recovered(self, model: str) -> None:
        """See `instance.Returns`."""
        self.advance(model)

    def _take(self, call: Call, organization: str) -> Lease | None:
        pool = self._pool(call.model)
        if pool is None:
            return None
        now_s = self.clock.monotonic()
        routed = pool.routed
        if len(routed) == 1:
            instance = routed[0] if self._is_open(routed[0], now_s) else None
        else:
            instance = self._choose(call, routed, now_s)
        if instance is None:
            return None
        organizations = pool.organizations
        organizations[organization] = organizations.get(organization, 0) + 1
        self._stats.enter(instance.model, instance.generation)
        return Lease(instance, organization, now_s, self)

    def _choose(self, call: Call, routed: list[Instance], now_s: float) -> Instance | None:
        is_open = {i.generation: i for i in routed if self._is_open(i, now_s)}
        if not is_open:
            return None
        preferred, blocks = self._affinity.preferred(call, list(is_open))
        candidates = [Candidate(g, self._load(instance)) for g, instance in is_open.items()]
        chosen = choose(candidates, preferred, self._random).generation
        self._affinity.sent(blocks, chosen)
        return is_open[chosen]

    def _is_open(self, instance: Instance, now_s: float) -> bool:
        """Whether it may get a request.

        Below its fair part of the bound a gateway need not ask what others do: otherwise one
        whose queue is never empty would keep the others out for ever.
        """
        if not instance.breaker.permits(now_s):
            return False
        if instance.in_flight < self._max_in_flight // (1 + self._peers.alive):
            return True
        return not instance.in_flight or self._load(instance) < self._max_in_flight

    def _load(self, instance: Instance) -> int:
        return instance.in_flight + self._peers.in_flight(instance.model, instance.generation)

    def _pool(self, model: str) -> _Pool | None:
        """The model's instances, if it is loaded."""
        outcome = self._table.route(model)
        pool = self._pools.get(model)
        if pool is not None and pool.outcome is outcome:
            return pool if pool.routed else None
        if not isinstance(outcome, Route):
            if pool is not None:
                pool.outcome, pool.routed = outcome, []
                self._drop_if_idle(model)
            return None
        if pool is None:
            pool = self._pools[model] = _Pool()
        pool.routed = _renewed(model, pool.routed, outcome)
        pool.outcome = outcome
        return pool

    def _drop_if_idle(self, model: str) -> None:
        pool = self._pools[model]
        if not pool.routed and not pool.organizations:
            del self._pools[model]


def _renewed(model: str, known: list[Instance], route: Route) -> list[Instance]:
    """An instance that is as it was keeps its counts; any other begins anew."""
    before = {instance.endpoint: instance for instance in known}
    return [
        before.get(endpoint)
        or Instance(model, endpoint, endpoint.url.rstrip("/"), endpoint.generation)
        for endpoint in route.endpoints
    ]
