"""One thing at a time per device, and work that orders interrupt."""

import asyncio

import pytest

from modelium.common.testing import yield_to_others
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.waiting import to_the_end, until_told


async def test_a_lane_is_held_by_one_at_a_time_in_the_order_of_asking() -> None:
    lanes, order, release = Lanes(), list[str](), asyncio.Event()

    async def hold(name: str, *devices: str) -> None:
        async with lanes.hold(devices):
            order.append(name)
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for name, devices in (("a", ("d1",)), ("b", ("d1",)), ("c", ("d2",))):
            group.create_task(hold(name, *devices))
        await yield_to_others()
        assert order == ["a", "c"]
        release.set()
    assert order == ["a", "c", "b"]


async def test_two_that_want_both_devices_do_not_wait_for_each_other() -> None:
    lanes = Lanes()

    async def hold(*devices: str) -> None:
        async with lanes.hold(devices):
            await yield_to_others(3)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(hold("d1", "d2"))
        group.create_task(hold("d2", "d1"))


async def test_a_lane_is_free_again_after_its_holder_was_cancelled() -> None:
    lanes = Lanes()

    async def hold() -> None:
        async with lanes.hold(["d1"]):
            await asyncio.Event().wait()

    holder = asyncio.ensure_future(hold())
    await yield_to_others()
    holder.cancel()
    async with asyncio.timeout(5), lanes.hold(["d1"]):
        pass


async def test_nobody_waits_for_a_lane_that_was_opened() -> None:
    lanes, passed = Lanes(), list[str]()

    async def hold(name: str) -> None:
        async with lanes.hold(["d1"]):
            passed.append(name)
            await asyncio.Event().wait()

    tasks = [asyncio.ensure_future(hold(name)) for name in ("a", "b")]
    await yield_to_others()
    assert passed == ["a"]
    lanes.open()
    tasks.append(asyncio.ensure_future(hold("c")))
    await yield_to_others()
    assert sorted(passed) == ["a", "b", "c"]
    for task in tasks:
        task.cancel()


async def test_work_that_ends_by_itself_gives_no_order() -> None:
    assert await until_told(yield_to_others(2), asyncio.Queue[str]()) is None


async def test_an_order_cancels_the_work_and_waits_for_its_end() -> None:
    orders, cleaned = asyncio.Queue[str](), list[bool]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await yield_to_others(3)
            cleaned.append(True)

    orders.put_nowait("stop")
    assert await until_told(work(), orders) == "stop"
    assert cleaned == [True]


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await until_told(work(), asyncio.Queue[str]())


async def test_no_order_is_lost_when_the_work_ends_at_the_same_time() -> None:
    orders = asyncio.Queue[str]()

    async def work() -> None:
        orders.put_nowait("stop")

    told = await until_told(work(), orders)
    assert told == "stop" or orders.get_nowait() == "stop"


async def test_work_to_the_end_is_done_although_it_was_cancelled() -> None:
    done = list[bool]()

    async def work() -> None:
        await yield_to_others(5)
        done.append(True)

    waiting = asyncio.ensure_future(to_the_end(work()))
    await yield_to_others(2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert done == [True]
