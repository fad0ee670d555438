"""What a gateway asks for of an account's concurrent requests."""

import pytest

from modelium.common.store import SlotsHeld, SlotsWanted
from modelium.gateway.access.slots import Slots


@pytest.mark.parametrize(
    ("limit", "used", "more", "wanted"),
    [
        (10, 0, 0, 0),  # idle: all of it is given back
        (10, 0, 1, 1),  # the first request
        (10, 4, 0, 5),  # busy: one ahead
        (800, 100, 0, 132),  # never more than 32 ahead
        (10, 10, 5, 10),  # never more than the limit
        (4, 2, 0, 2),  # nothing ahead of a small limit
    ],
)
def test_what_is_asked_for(limit: int, used: int, more: int, wanted: int) -> None:
    slots = Slots(limit)
    for _ in range(used):
        slots.enter()
    assert slots.wanted(more=more) == SlotsWanted(limit, wanted)


def test_nothing_is_kept_ahead_while_another_gateway_needs_it() -> None:
    slots = Slots(16)
    slots.enter()
    assert slots.wanted(more=0).wanted == 3
    slots.renewed(SlotsHeld(3, contended=True), 1.0)
    assert slots.wanted(more=0).wanted == 1


def test_what_is_given_back_is_not_used_while_the_store_decides() -> None:
    slots = Slots(100)
    slots.renewed(SlotsHeld(12, contended=False), 1.0)
    assert slots.free
    slots.wanted(more=0)
    assert not slots.free


def test_a_store_that_takes_slots_back_stops_new_requests_only() -> None:
    slots = Slots(10)
    slots.renewed(SlotsHeld(3, contended=False), 1.0)
    for _ in range(3):
        slots.enter()
    slots.renewed(SlotsHeld(1, contended=True), 2.0)
    assert not slots.free
    slots.leave()
    slots.leave()
    assert not slots.free
    slots.leave()
    assert slots.free


def test_those_who_came_while_the_store_was_asked_have_not_asked_in_vain() -> None:
    slots = Slots(1000)
    wanted = slots.wanted(more=1).wanted
    slots.renewed(SlotsHeld(wanted, contended=False), 1.0)
    slots.enter()
    assert not slots.free
    assert slots.ask_again_s == 0.0


def test_less_than_was_asked_for_and_the_whole_limit_end_the_asking_for_a_moment() -> None:
    for limit, held in ((1000, 0), (1, 1)):
        slots = Slots(limit)
        slots.wanted(more=1)
        for _ in range(held):
            slots.enter()
        slots.renewed(SlotsHeld(held, contended=False), 1.0)
        assert slots.ask_again_s > 1.0
