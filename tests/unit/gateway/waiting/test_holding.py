"""When a held request goes on, gives up, and what is asked for meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from modelium.common.events import GatewayStats
from modelium.common.records import ModelState
from modelium.common.testing import FakeClock, InMemoryBus, yield_to_others
from modelium.gateway.edge.errors_http import ApiError
from modelium.gateway.engines.instance import Lease
from modelium.gateway.waiting.demand import REMIND_S, REPEAT_S, Demand
from tests.unit.gateway.calls import a_call
from tests.unit.gateway.world import World


async def test_a_model_that_fits_no_device_is_refused_at_once_and_asked_for_again(
    world: "World",
) -> None:
    held = asyncio.ensure_future(world.hold(60))
    await yield_to_others()
    world.become(refused=True, reason="needs 9.0 GiB")
    with pytest.raises(ApiError) as refusal:
        await held
    error = refusal.value
    assert (error.status, error.code, error.should_retry) == (503, "capacity_exceeded", False)
    assert "needs 9.0 GiB" in error.message
    await world.clock.advance(REPEAT_S)
    with pytest.raises(ApiError):
        world.holding.refuse_hopeless("qwen")
    await yield_to_others()
    assert world.asked() == 2
    world.become(refused=False)
    waiting = asyncio.ensure_future(world.hold(1))
    await yield_to_others()
    assert not waiting.done()
    waiting.cancel()


def test_what_was_asked_for_is_remembered_only_as_long_as_it_matters() -> None:
    now_s = 0.0
    clock = FakeClock()
    demand = Demand(InMemoryBus(clock=clock), clock)
    clock.monotonic = lambda: now_s  # type: ignore[method-assign]
    for number in range(50):
        now_s = number * REMIND_S
        demand.want(f"model-{number}")
    assert len(demand._asked_s) == 1


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(w) for w in (world.holding.tick(), world.demand.run())]
        yield world
        for task in tasks:
            task.cancel()


async def held(world: World, timeout_s: float = 60) -> asyncio.Future[Lease]:
    future = asyncio.ensure_future(world.hold(timeout_s))
    await yield_to_others()
    return future


async def test_a_request_goes_on_the_moment_its_model_is_loaded(world: World) -> None:
    future = await held(world)
    world.become(state=ModelState.LOADED, endpoint="http://e", generation=3)
    assert (await future).generation == 3
    assert world.room.models() == []


async def test_it_is_asked_at_once_and_again_every_minute(world: World) -> None:
    future = await held(world, REMIND_S + 9)
    assert world.asked() == 1
    await world.clock.advance(REMIND_S - 0.5)
    assert world.asked() == 1
    await world.clock.advance(1)
    assert world.asked() == 2
    future.cancel()


async def test_a_second_waiter_asks_no_more_but_a_new_first_one_does(world: World) -> None:
    first, second = await held(world), await held(world)
    assert world.asked() == 1
    first.cancel()
    second.cancel()
    await yield_to_others()
    third = await held(world)
    assert world.asked() == 2
    third.cancel()


async def test_nobody_is_asked_for_when_nobody_waits(world: World) -> None:
    (await held(world)).cancel()
    await world.clock.advance(30)
    assert world.asked() == 1


async def test_the_deadline_is_kept_and_says_how_far_it_is(world: World) -> None:
    world.become(state=ModelState.LOADING, load_s=20.0, reason="reading weights")
    future = await held(world, timeout_s=8)
    await world.clock.advance(7.5)
    assert not future.done()
    await world.clock.advance(0.7)
    with pytest.raises(ApiError) as error:
        await future
    assert error.value.status == 503
    assert error.value.loading is not None
    assert (error.value.loading.eta_s, error.value.loading.position) == (12, 1)
    assert error.value.retry_after_s == 12


async def test_a_sleeping_model_is_asked_for_and_waited_for(world: World) -> None:
    world.become(state=ModelState.SLEEPING, sleep_level=1, load_s=40.0, wake_s=3.0)
    future = await held(world, timeout_s=8)
    assert world.asked() == 1
    told = world.holding.progress(world.holding.join(a_call(), "b"))
    assert (told.state, told.eta_s) == (ModelState.SLEEPING, 3)
    world.loaded(1)
    assert (await future).generation == 1


async def test_the_queue_is_bounded(world: World) -> None:
    held_ones = [await held(world), await held(world)]
    with pytest.raises(ApiError) as error:
        await world.hold(60)
    assert error.value.status == 429
    for one in held_ones:
        one.cancel()


@pytest.mark.parametrize("loaded", [True, False])
async def test_a_full_queue_is_to_be_tried_again_when_it_will_have_emptied(loaded: bool) -> None:
    """It said a second, or when the model is loaded, however slowly others were served."""
    world = World(max_waiting=10, max_in_flight=1)
    world.loaded(1)
    lease = world.enter()
    waiting = [await held(world, 600) for _ in range(10)]
    for number in range(8):
        await world.clock.advance(3)
        lease.leave()
        lease = await waiting[number]
    waiting += [await held(world, 600) for _ in range(8)]
    if not loaded:
        world.become(state=ModelState.LOADING, load_s=20.0)
    with pytest.raises(ApiError) as error:
        world.holding.join(a_call(), "")
    assert error.value.status == 429
    assert error.value.retry_after_s == pytest.approx(30 if loaded else 50)
    for one in waiting:
        one.cancel()


async def test_a_suspect_engine_gets_the_request_when_the_second_is_over(world: World) -> None:
    world.become(state=ModelState.LOADED, endpoint="http://e", generation=1)
    failing = world.dispatch.enter(a_call(), "")
    assert failing is not None
    failing.failed()
    failing.leave()
    future = await held(world)
    await world.clock.advance(0.8)
    assert not future.done()
    await world.clock.advance(0.4)
    assert (await future).generation == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": ModelState.REJECTED, "reason": "broken"}, 400),
        ({"removed": True}, 404),
        ({"state": ModelState.ERROR, "failures": 1, "load_s": None}, 503),  # never has loaded
        ({"state": ModelState.ERROR, "failures": 2, "load_s": 5.0}, 503),  # fails again and again
    ],
)
async def test_who_waits_in_vain_is_told(
    world: World, changes: dict[str, Any], status: int
) -> None:
    future = await held(world)
    world.become(retry_at=world.clock.now() + timedelta(seconds=10), **changes)
    with pytest.raises(ApiError) as error:
        await future
    assert error.value.status == status


async def test_a_failure_whose_backoff_is_over_is_waited_for(world: World) -> None:
    world.become(state=ModelState.ERROR, failures=3, retry_at=world.clock.now())
    future = await held(world)
    assert world.asked() == 1
    world.become(state=ModelState.LOADED, endpoint="http://e", generation=9)
    assert (await future).generation == 9


async def test_stats_are_said_every_second_and_at_once_when_an_engine_is_done_with() -> None:
    world = World()
    announcer = world.announcer

    def said() -> int:
        return len(world.bus.of(GatewayStats))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(announcer.beat()), group.create_task(announcer.run())]
        await world.clock.advance(2.5)
        assert said() == 3
        world.become(state=ModelState.LOADED, endpoint="http://e", generation=4)
        announcer.engine_idle("qwen", 4)  # still routed: nobody waits for it to end
        await yield_to_others()
        assert said() == 3
        announcer.engine_idle("qwen", 3)
        await yield_to_others()
        assert said() == 4
        for task in tasks:
            task.cancel()
