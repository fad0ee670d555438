"""Leases: who gets one, where it leads, what it counts and what becomes of it."""

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.common.events import GatewayStats
from modelium.common.records import InstanceEndpoint, ModelState
from modelium.common.testing import FakeClock, yield_to_others
from modelium.gateway.engines.breaker import FIRST_OPEN_S, BreakerState
from modelium.gateway.engines.instance import Instance, Lease
from tests.unit.gateway.calls import a_call
from tests.unit.gateway.engines.test_peers import stats
from tests.unit.gateway.world import World


def test_nothing_is_entered_before_the_model_is_loaded() -> None:
    world = World()
    assert world.dispatch.enter(a_call(), "") is None
    assert world.dispatch.enter(a_call("unknown"), "") is None
    world.loaded(3)
    lease = world.enter("acme")
    assert (lease.endpoint, lease.generation, lease.model) == ("http://e3", 3, "qwen")
    assert world.stats.of("qwen").in_flight == {3: 1}


def test_leaving_twice_gives_back_once() -> None:
    world = World()
    world.loaded(1)
    first, _ = world.enter("a"), world.enter("b")
    first.leave()
    first.leave()
    assert world.stats.of("qwen").in_flight == {1: 1}
    assert world.dispatch.in_flight_of("qwen") == {"b": 1}


def test_requests_spread_over_all_instances() -> None:
    world = World()
    world.loaded(1, 2, 3)
    leases = [world.enter() for _ in range(30)]
    counts = Counter(lease.generation for lease in leases)
    assert set(counts) == {1, 2, 3}
    assert max(counts.values()) - min(counts.values()) <= 3


def test_an_instance_that_drains_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World()
    world.loaded(1, 2)
    before = [world.enter() for _ in range(10)]
    world.loaded(2)
    assert {world.enter().generation for _ in range(10)} == {2}
    assert world.stats.of("qwen").in_flight[1] == sum(lease.generation == 1 for lease in before)
    for lease in before:
        lease.leave()
    assert 1 not in world.stats.of("qwen").in_flight


def test_an_instance_keeps_its_counts_when_another_comes() -> None:
    world = World()
    world.loaded(1)
    for _ in range(5):
        world.enter()
    world.loaded(1, 2)
    assert [world.enter().generation for _ in range(5)] == [2] * 5


def test_a_conversation_stays_where_it_began() -> None:
    world = World()
    world.loaded(1, 2, 3)
    body = json.dumps({"messages": [{"content": "word " * 500}]}).encode()
    first = world.enter(body=body).generation
    assert {world.enter(body=body).generation for _ in range(8)} == {first}


def test_the_one_that_failed_is_avoided_and_the_other_serves() -> None:
    world = World()
    world.loaded(1, 2)
    failing = world.enter()
    failing.failed()
    failing.leave()
    other = {1: 2, 2: 1}[failing.generation]
    assert {world.enter().generation for _ in range(10)} == {other}


def test_an_engine_that_refuses_connections_is_avoided_too() -> None:
    world = World()
    world.loaded(1)
    lease = world.enter()
    lease.failed()
    lease.leave()
    assert world.dispatch.enter(a_call(), "") is None
    assert world.dispatch.instances("qwen") == [(0, BreakerState.OPEN)]


async def test_after_its_pause_one_request_tries_it_and_its_answer_lets_the_others_in() -> None:
    world = World()
    world.loaded(1)
    lease = world.enter()
    lease.failed()
    lease.leave()
    await world.clock.advance(FIRST_OPEN_S)
    probe = world.enter()
    assert world.dispatch.enter(a_call(), "") is None
    waiting = [asyncio.ensure_future(world.hold(60)) for _ in range(2)]
    await yield_to_others()
    assert not any(one.done() for one in waiting)
    probe.succeeded()
    assert len(await asyncio.gather(*waiting)) == 2


async def test_a_probe_whose_client_goes_away_leaves_the_next_try_to_the_next() -> None:
    world = World()
    world.loaded(1)
    lease = world.enter()
    lease.failed()
    lease.leave()
    await world.clock.advance(FIRST_OPEN_S)
    world.enter().leave()
    world.enter()


def test_an_instance_whose_record_changes_begins_anew() -> None:
    world = World()
    world.loaded(1)
    world.enter().failed()
    world.become(state=ModelState.UNLOADING)
    world.loaded(1)
    assert world.enter().generation == 1


def test_one_engine_gets_as_many_as_it_may_have_at_a_time() -> None:
    world = World(max_in_flight=2)
    world.loaded(1)
    first, _ = world.enter(), world.enter()
    assert world.dispatch.enter(a_call(), "") is None
    first.leave()
    world.enter()


@pytest.mark.parametrize(
    ("elsewhere", "own"),
    [
        (0, 5),  # the other one leaves room
        (8, 5),  # half of the bound is ours, whatever the other one does
        (3, 7),  # and all that it does not use
    ],
)
def test_gateways_share_what_an_engine_may_have(elsewhere: int, own: int) -> None:
    world = World(max_in_flight=10)
    world.loaded(1)
    world.dispatch.heard(stats("other", g1=elsewhere))
    taken = 0
    while taken < own and world.dispatch.enter(a_call(), ""):
        taken += 1
    assert taken == own
    assert elsewhere == 0 or world.dispatch.enter(a_call(), "") is None


def test_the_load_that_other_gateways_bring_counts_in_the_choice() -> None:
    world = World()
    world.loaded(1, 2)
    world.dispatch.heard(stats("other", g1=20))
    assert {world.enter().generation for _ in range(20)} == {2}


def test_nobody_overtakes_those_who_wait() -> None:
    world = World(max_in_flight=1)
    world.loaded(1)
    world.enter()
    waiter = world.holding.join(a_call(), "a")
    world.loaded(1, 2)  # room again, and the waiter was given it
    assert waiter.lease is not None
    assert waiter.lease.generation == 2


async def test_the_end_of_the_last_request_of_a_draining_engine_is_told_at_once() -> None:
    world = World()
    world.loaded(4)
    first, last = world.enter(), world.enter()
    world.become(state=ModelState.UNLOADING)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.announcer.run())
        first.leave()
        await yield_to_others()
        assert not world.bus.of(GatewayStats)
        last.leave()
        await yield_to_others()
        assert len(world.bus.of(GatewayStats)) == 1
        task.cancel()


def test_a_model_that_is_gone_is_forgotten_with_its_last_request() -> None:
    world = World()
    world.loaded(1)
    lease = world.enter()
    world.table.forget("qwen")
    world.holding.changed("qwen")
    assert world.dispatch.in_flight_of("qwen") == {"": 1}
    lease.leave()
    assert not world.dispatch._pools


async def test_a_request_that_is_alone_uses_all_of_its_devices() -> None:
    world = World()
    world.loaded(1, device_count=4)
    lease = world.enter()
    await world.clock.advance(3)
    assert lease.device_s() == pytest.approx(12)
    lease.leave()
    await world.clock.advance(3)
    assert lease.device_s() == pytest.approx(12)


class Giver:
    """Takes leases back."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.now_s = 0.0
        self.clock.monotonic = lambda: self.now_s  # type: ignore[method-assign]

    def given_back(self, lease: Lease) -> None:
        pass

    def recovered(self, model: str) -> None:
        pass


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), max_size=60))
def test_what_requests_used_is_what_the_engine_was_busy(steps: list[tuple[float, int]]) -> None:
    """After each pause a request begins (0, 1) or the one of that number ends."""
    giver = Giver()
    endpoint = InstanceEndpoint(instance_id="q.1", generation=1, url="http://e")
    instance = Instance("q", endpoint, "http://e", 1)
    running: list[Lease] = []
    ended: list[Lease] = []
    busy_s = 0.0
    for pause_s, step in steps:
        giver.now_s += pause_s
        busy_s += pause_s if running else 0.0
        if step < 2:
            running.append(Lease(instance, "", giver.now_s, giver))
        elif running:
            ended.append(running.pop(step % len(running)))
            ended[-1].leave()
    assert sum(lease.device_s() for lease in running + ended) == pytest.approx(busy_s)
