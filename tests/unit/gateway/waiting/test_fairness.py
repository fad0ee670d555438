"""Organisations that compete for a model: the order of going, full queues, who pays a load."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from modelium.common.events import ModelRequested
from modelium.common.records import ModelState
from modelium.common.testing import yield_to_others
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.instance import Lease
from modelium.gateway.waiting.room import Waiter
from tests.unit.gateway.calls import a_call
from tests.unit.gateway.world import World


async def started(work: Coroutine[Any, Any, Lease]) -> asyncio.Future[Lease]:
    future = asyncio.ensure_future(work)
    await yield_to_others()
    return future


def join(world: World, organization: str, *, committed: bool = False, size: int = 2) -> Waiter:
    waiter = world.holding.join(a_call(body=b"x" * size), organization)
    waiter.committed = committed
    return waiter


def order_of_going(world: World, first: Lease) -> list[str]:
    """One place, given back again and again."""
    order: list[str] = []
    lease = first
    while True:
        waiting = {id(w): w for q in world.room._queues.values() for w in q.waiters.values()}
        lease.leave()
        gone = [waiter for waiter in waiting.values() if waiter.lease is not None]
        assert len(gone) <= 1
        order += [waiter.organization for waiter in gone]
        if not gone:
            return order
        lease = gone[0].lease or lease
    return order


def test_one_place_goes_round_by_age_when_nobody_has_any() -> None:
    world = World(max_waiting=10, max_in_flight=1)
    world.loaded(1)
    first = world.enter("many")
    for name in ("many", "many", "few", "many", "one"):
        join(world, name)
    assert order_of_going(world, first) == ["many", "many", "few", "many", "one"]


def test_who_has_fewest_in_flight_goes_before_those_who_came_earlier() -> None:
    world = World(max_waiting=10, max_in_flight=3)
    world.loaded(1)
    leases = [world.enter("many") for _ in range(3)]
    waiters = [join(world, name) for name in ("many", "many", "few", "few", "other")]
    positions = [world.holding.progress(waiter).position for waiter in waiters]
    assert positions == [4, 5, 1, 3, 2]
    leases[0].leave()
    assert [waiter.lease is not None for waiter in waiters] == [False, False, True, False, False]
    leases[1].leave()
    assert waiters[4].lease is not None


def test_as_many_are_woken_as_there_is_room_for() -> None:
    world = World(max_waiting=10, max_in_flight=2)
    waiters = [join(world, "a") for _ in range(5)]
    world.loaded(1)
    assert [waiter.lease is not None for waiter in waiters] == [True, True, False, False, False]
    assert world.room.count("qwen") == 3


def test_a_place_that_was_granted_and_not_taken_goes_to_the_next() -> None:
    world = World(max_waiting=10, max_in_flight=1)
    waiters = [join(world, "a") for _ in range(2)]
    world.loaded(1)
    assert waiters[0].lease is not None
    world.holding.leave(waiters[0])
    assert waiters[1].lease is not None
    assert world.stats.of("qwen").in_flight == {1: 1}


async def test_a_full_queue_makes_room_for_one_with_less_than_its_part() -> None:
    world = World(max_waiting=4)
    held = [await started(world.hold(60, "many")) for _ in range(4)]
    newcomer = await started(world.hold(60, "few"))
    assert [one.done() for one in held] == [False, False, False, True]
    with pytest.raises(ApiError) as error:
        await held[3]
    assert error.value.status == 429
    assert error.value.retry_after_s
    assert not newcomer.done()
    with pytest.raises(ApiError):
        world.holding.join(a_call(), "many")
    for one in (*held[:3], newcomer):
        one.cancel()


def test_a_request_whose_answer_has_begun_is_never_displaced() -> None:
    world = World(max_waiting=3)
    early, late = join(world, "many"), join(world, "many", committed=True)
    join(world, "many", committed=True)
    join(world, "few")
    assert (early.displaced, late.displaced) == (True, False)
    with pytest.raises(ApiError):
        join(world, "third")


def test_bytes_are_bounded_over_all_models_and_shared_as_well() -> None:
    world = World(max_waiting=100, max_bytes=100)
    waiters = [join(world, "many", size=30) for _ in range(3)]
    other = world.holding.join(a_call("llama", b"x" * 10), "many")
    with pytest.raises(ApiError) as error:
        join(world, "many", size=1)
    assert error.value.status == 429
    assert "max_queue_bytes" in error.value.message
    join(world, "few", size=25)
    assert [one.displaced for one in (*waiters, other)] == [False, False, True, True]
    world.holding.leave(waiters[0])
    join(world, "many", size=1)


async def test_a_busy_model_is_503_that_says_so_and_nobody_is_asked_for_it() -> None:
    world = World(max_in_flight=1)
    world.loaded(1)
    world.enter()
    with pytest.raises(ApiError) as error:
        await world.hold(0)
    assert (error.value.status, error.value.code) == (503, "model_busy")
    assert not world.demand._due


def test_the_first_of_a_model_that_is_not_there_pays_its_load() -> None:
    world = World(max_waiting=5)
    first, second = join(world, "a"), join(world, "b")
    assert (first.caused_load, second.caused_load) == (True, False)
    assert first.load_s() == 0


@pytest.mark.parametrize("state", [ModelState.LOADING, ModelState.LOADED])
def test_nobody_pays_for_a_load_that_was_under_way(state: ModelState) -> None:
    world = World(max_in_flight=1)
    if state is ModelState.LOADED:
        world.loaded(1)
        world.enter()
    else:
        world.become(state=state)
    assert not join(world, "a").caused_load


async def test_the_one_that_stays_pays_when_the_one_that_caused_the_load_has_gone() -> None:
    world = World(max_waiting=5)
    first, second = join(world, "a"), join(world, "b")
    world.holding.leave(first)
    assert second.caused_load
    world.loaded(1)
    await world.holding.entered(second, 60)
    assert second.load_s() == 7.0


async def test_who_only_has_an_engine_woken_pays_the_wake() -> None:
    world = World(max_waiting=5)
    world.become(state=ModelState.SLEEPING, sleep_level=1)
    first, second = join(world, "a"), join(world, "b")
    world.holding.leave(first)
    world.loaded(1, wake_s=0.5)
    await world.holding.entered(second, 60)
    assert second.load_s() == 0.5


async def test_no_load_is_started_for_somebody_who_has_gone() -> None:
    world = World()
    world.holding.leave(join(world, "a"))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(w) for w in (world.holding.tick(), world.demand.run())]
        await world.clock.advance(20)
        assert not world.bus.of(ModelRequested)
        for task in tasks:
            task.cancel()


async def test_it_is_asked_for_as_long_as_another_waits() -> None:
    world = World()
    first, _ = join(world, "a"), join(world, "b")
    world.holding.leave(first)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(world.demand.run())
        await yield_to_others()
        assert world.asked() == 1
        task.cancel()
