"""Whatever happens in whatever order: no place is left empty while somebody waits for one."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelium.common.records import ModelState
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.instance import Lease
from modelium.gateway.waiting.room import Waiter
from tests.unit.gateway.calls import a_call
from tests.unit.gateway.engines.test_peers import stats
from tests.unit.gateway.world import World

MAX_IN_FLIGHT = 2
MAX_WAITING = 6
organizations = st.sampled_from(["a", "b", "c"])
indices = st.integers(0, 50)


class AnyCourse(RuleBasedStateMachine):
    """Requests come, wait, go, fail and are given up; engines and other gateways come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(max_waiting=MAX_WAITING, max_in_flight=MAX_IN_FLIGHT)
        self.now_s = 0.0
        self.world.clock.monotonic = lambda: self.now_s  # type: ignore[method-assign]
        self.leases: list[Lease] = []
        self.waiters: list[Waiter] = []
        self.world.loaded(1)

    def collect(self) -> None:
        """What a waiter's task does when it is woken."""
        for waiter in list(self.waiters):
            if waiter.lease is not None:
                self.leases.append(waiter.lease)
                waiter.lease = None
            elif not waiter.displaced:
                continue
            self.waiters.remove(waiter)
            self.world.holding.leave(waiter)

    @rule(arrivals=st.lists(organizations, min_size=1, max_size=4), stream=st.booleans())
    def come(self, arrivals: list[str], stream: bool) -> None:
        for organization in arrivals:
            self.come_one(organization, stream=stream)

    def come_one(self, organization: str, *, stream: bool) -> None:
        call = a_call()
        lease = self.world.dispatch.enter(call, organization)
        if lease is not None:
            self.leases.append(lease)
            return
        try:
            waiter = self.world.holding.join(call, organization)
        except ApiError as error:
            assert error.status == 429
            assert len(self.waiters) == MAX_WAITING
            return
        waiter.committed = stream
        self.waiters.append(waiter)
        self.collect()

    @precondition(lambda self: self.leases)
    @rule(index=indices, how=st.sampled_from(["ended", "answered", "failed"]))
    def go(self, index: int, how: str) -> None:
        lease = self.leases.pop(index % len(self.leases))
        if how == "answered":
            lease.succeeded()
        if how == "failed":
            lease.failed()
        lease.leave()
        self.collect()

    @precondition(lambda self: self.waiters)
    @rule(index=indices)
    def give_up(self, index: int) -> None:
        self.world.holding.leave(self.waiters.pop(index % len(self.waiters)))
        self.collect()

    @rule(generations=st.sets(st.integers(1, 3), max_size=2))
    def engines_change(self, generations: set[int]) -> None:
        if generations:
            self.world.loaded(*generations)
        else:
            self.world.become(state=ModelState.UNLOADING)
        self.collect()

    @rule(seconds=st.floats(0.1, 40), others=st.integers(0, 4))
    def time_passes(self, seconds: float, others: int) -> None:
        self.now_s += seconds
        self.world.peers.heard(stats("other", g1=others), self.now_s)
        self.world.dispatch.advance("qwen")  # as the tick does
        self.collect()

    @invariant()
    def no_place_is_empty_while_somebody_waits(self) -> None:
        if self.waiters:
            assert self.world.dispatch._take(a_call(), "nobody") is None

    @invariant()
    def the_bounds_are_kept(self) -> None:
        assert self.world.room.count("qwen") == len(self.waiters) <= MAX_WAITING
        assert all(n <= MAX_IN_FLIGHT for n, _ in self.world.dispatch.instances("qwen"))
        assert sum(self.world.room._bytes.values()) == self.world.room._total_bytes
        assert self.world.room._total_bytes == 2 * len(self.waiters)

    @invariant()
    def what_is_counted_is_what_there_is(self) -> None:
        counted = self.world.stats.of("qwen").in_flight
        assert sum(counted.values()) == len(self.leases)
        assert sum(self.world.dispatch.in_flight_of("qwen").values()) == len(self.leases)

    def teardown(self) -> None:
        for lease in self.leases:
            lease.leave()
        for waiter in self.waiters:
            self.world.holding.leave(waiter)
            if waiter.lease is not None:
                waiter.lease.leave()


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
