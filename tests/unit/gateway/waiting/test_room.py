"""Order, bounds and wake-ups of the queues."""

import asyncio

import pytest

from modelium.common.testing import yield_to_others
from modelium.gateway.waiting.room import QueueFull, Waiter, WaitingRoom
from tests.unit.gateway.calls import a_call


def test_positions_move_up_when_somebody_leaves() -> None:
    room = WaitingRoom(10, 1000)
    first, second, third = (room.enter(a_call("qwen"), "", now_s) for now_s in (1, 2, 3))
    other = room.enter(a_call("llama"), "", 4)
    assert [room.position(w, {}) for w in (first, second, third, other)] == [1, 2, 3, 1]
    room.leave(second)
    assert [room.position(w, {}) for w in (first, third)] == [1, 2]
    assert room.count("qwen") == 2


def test_the_oldest_wait_is_that_of_the_first() -> None:
    room = WaitingRoom(10, 1000)
    first = room.enter(a_call("qwen"), "", 1)
    room.enter(a_call("qwen"), "", 5)
    assert room.oldest_wait_s("qwen", 7) == 6
    room.leave(first)
    assert room.oldest_wait_s("qwen", 7) == 2
    assert room.oldest_wait_s("llama", 7) == 0


def test_those_are_ahead_that_are_waited_for_longer() -> None:
    room = WaitingRoom(10, 1000)
    for now_s, model in enumerate(("qwen", "llama", "phi", "qwen")):
        room.enter(a_call(model), "", now_s)
    assert [room.ahead_of(m) for m in ("qwen", "phi")] == [[], ["qwen", "llama"]]
    assert room.ahead_of("not waited for") == ["qwen", "llama", "phi"]


def test_one_more_than_the_bound_is_refused_and_others_are_not_affected() -> None:
    room = WaitingRoom(2, 1000)
    room.enter(a_call("qwen"), "", 0)
    second = room.enter(a_call("qwen"), "", 0)
    with pytest.raises(QueueFull) as full:
        room.enter(a_call("qwen"), "", 0)
    assert full.value.waiting == 2
    room.enter(a_call("llama"), "", 0)
    room.leave(second)
    room.enter(a_call("qwen"), "", 0)


def test_leaving_twice_is_harmless_and_an_empty_queue_is_gone() -> None:
    room = WaitingRoom(2, 1000)
    waiter = room.enter(a_call("qwen"), "", 0)
    room.leave(waiter)
    room.leave(waiter)
    assert room.models() == []


async def sleepers(room: WaitingRoom, *, until_s: float, count: int) -> list[asyncio.Task[None]]:
    async def sleep(waiter: Waiter) -> None:
        await waiter.sleep(until_s)

    tasks = [asyncio.ensure_future(sleep(room.enter(a_call("qwen"), "", 0))) for _ in range(count)]
    await yield_to_others()
    return tasks


async def test_one_wake_lets_all_of_a_model_look_again() -> None:
    room = WaitingRoom(10, 1000)
    tasks = await sleepers(room, until_s=100, count=3)
    room.wake("llama")
    await yield_to_others()
    assert not any(task.done() for task in tasks)
    room.wake("qwen")
    await asyncio.gather(*tasks)


async def test_only_those_whose_time_has_come_are_woken_by_the_clock() -> None:
    room = WaitingRoom(10, 1000)
    early = await sleepers(room, until_s=5, count=1)
    late = await sleepers(room, until_s=6, count=1)
    room.wake_due(5)
    await yield_to_others()
    assert (early[0].done(), late[0].done()) == (True, False)
    room.wake_due(6)
    await asyncio.gather(*late)


async def test_who_was_at_an_engine_that_died_goes_first_however_full_the_queue_is() -> None:
    room = WaitingRoom(max_per_model=1, max_bytes=10)
    other = room.enter(a_call(), "acme", 0)
    first = room.enter(a_call(), "acme", 1, again=True)
    second = room.enter(a_call(), "acme", 1, again=True)
    assert room.next("qwen", {}) is first
    assert room.oldest("qwen") is first
    assert [room.position(w, {}) for w in (first, second, other)] == [1, 2, 3]
    with pytest.raises(QueueFull):
        room.enter(a_call(), "acme", 2)
    for waiter in (first, second, other):
        assert room.leave(waiter)
