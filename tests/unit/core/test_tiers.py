"""Engines that sleep: who goes to sleep, at which level, who wakes, and who is stopped for it."""

from dataclasses import replace
from typing import Any

import pytest

from modelium.common.figures import DecidedAction, Decision
from modelium.core.actions import Queue, Sleep, Unload, Wake
from modelium.core.decide import decide
from modelium.core.guard import guard
from modelium.core.habit import Habit
from modelium.core.snapshot import ModelView
from tests.unit.core.places import (
    LEVEL_1,
    LEVEL_2,
    POLICY,
    asleep,
    beside,
    device,
    done,
    loaded,
    seen,
    sleepy,
    waiting,
)

FULL = device(free=1)


def test_a_victim_sleeps_where_there_is_host_memory() -> None:
    assert done(beside(seen(FULL, sleepy("b"), waiting("a")), 3)) == ["sleep b at 1"]


def test_it_goes_where_there_is_none() -> None:
    assert done(beside(seen(FULL, sleepy("b"), waiting("a")), 2)) == ["unload b"]


def test_the_second_level_needs_no_host_memory() -> None:
    place = seen(FULL, sleepy("b", LEVEL_1, LEVEL_2), waiting("a"))
    assert done(beside(place, 2)) == ["sleep b at 2"]


@pytest.mark.parametrize(("sleep_s", "level"), [(0.2, 1), (2.0, 2)])
def test_falling_asleep_counts_as_somebody_waits_for_it(sleep_s: float, level: int) -> None:
    first = replace(LEVEL_1, sleep_s=sleep_s)
    place = seen(FULL, sleepy("b", first, LEVEL_2), waiting("a"))
    assert done(beside(place, 8)) == [f"sleep b at {level}"]


def test_nobody_sleeps_who_would_be_loaded_as_soon() -> None:
    slow = replace(LEVEL_1, wake_s=11)  # a load takes 10
    assert done(beside(seen(FULL, sleepy("b", slow), waiting("a")), 8)) == ["unload b"]


def test_a_victim_goes_where_what_it_keeps_asleep_is_needed() -> None:
    place = seen(device(free=0.8), sleepy("b"), waiting("a", size=3.5))
    assert done(beside(place, 8)) == ["unload b"]


def test_seldom_used_it_is_not_worth_what_it_keeps() -> None:
    """Half of 4 GiB for 80 s costs 10 device seconds, and a load 9 more than a wake."""
    seldom = replace(sleepy("b"), idle_s=90.0, loaded_for_s=900.0)
    assert done(beside(seen(FULL, seldom, waiting("a")), 8)) == ["unload b"]


def test_a_sleeper_that_is_not_worth_it_any_more_is_stopped() -> None:
    assert done(beside(seen(device(free=3), asleep("b", idle_s=20.0)), 5)) == []
    assert done(beside(seen(device(free=3), asleep("b", idle_s=200.0)), 5)) == ["unload b"]


def test_the_sleeper_that_saves_least_makes_room_in_host_memory() -> None:
    place = seen(
        FULL,
        *(device(number, total=1, free=0.5) for number in (1, 2)),  # too small for the waiter
        asleep("new", on=1, idle_s=5.0),
        asleep("old", on=2, idle_s=17.0),
        sleepy("b", idle_s=4.0),
        waiting("a"),
    )
    [stop, queue] = decide(beside(place, 2), (), POLICY)
    assert stop == Unload("old", "makes room in host memory for b to sleep")
    assert isinstance(queue, Queue)


def test_a_sleeper_that_is_wanted_sooner_is_left_asleep() -> None:
    place = seen(FULL, device(1, total=1, free=0.5), asleep("c", on=1, idle_s=5), sleepy("b"))
    wanting = replace(place, models=(*place.models, waiting("a")))
    assert done(beside(wanting, 2)) == ["unload b"]


def test_a_pinned_sleeper_makes_no_room_in_host_memory() -> None:
    """It sleeps only because there is no room yet for it to wake."""
    small, other = device(1, total=1, free=0.5), asleep("c", on=1, idle_s=17)
    for pinned, stopped in ((False, "c"), (True, "b")):
        sleeper = replace(other, pinned=pinned)
        place = seen(FULL, small, sleeper, sleepy("b", idle_s=4), waiting("a"))
        assert done(beside(place, 2)) == [f"unload {stopped}"]


def test_a_sleeper_wakes_where_it_sleeps() -> None:
    place = seen(device(free=3.5), device(1), asleep("a", waiting=1, wanted_for_s=1.0))
    actions = decide(place, (), POLICY)
    assert actions == [Wake("a", reason="somebody waits")]


def test_others_make_room_for_a_sleeper_that_is_wanted() -> None:
    place = seen(device(free=0.5), asleep("a", waiting=1, wanted_for_s=1.0), sleepy("b"))
    first, queue = decide(beside(place, 8), (), POLICY)
    assert first == Sleep("b", level=1, reason="makes room for a")
    assert isinstance(queue, Queue) and queue.model == "a"


def test_a_pinned_sleeper_is_woken_for_nobody() -> None:
    place = seen(device(free=3.5), asleep("a", pinned=True))
    assert done(place) == ["wake a"]


def test_it_waits_while_its_device_is_busy() -> None:
    place = seen(replace(device(free=3.5), busy=True), asleep("a", waiting=1, wanted_for_s=1.0))
    assert done(place) == []


def test_advice_to_sleep_and_to_wake_is_followed_where_it_may_be() -> None:
    sleep = Decision(model="b", action=DecidedAction.SLEEP, reason="quiet")
    wake = Decision(model="c", action=DecidedAction.WAKE, reason="soon")
    place = beside(seen(device(total=8, free=4), sleepy("b"), asleep("c")), 8)
    assert done(place, sleep) == ["sleep b at 1"]
    assert done(place, wake) == ["wake c"]


@pytest.mark.parametrize(
    ("model", "rule"),
    [
        (loaded("b"), "no_sleep_tier"),
        (asleep("b", sleeps=(LEVEL_1,)), "asleep"),
        (sleepy("b", in_flight=1), "in_use"),
        (sleepy("b", pinned=True), "pinned"),
        (sleepy("b", loaded_for_s=1.0), "residency"),
    ],
)
def test_nobody_is_put_to_sleep_against_a_rule(model: ModelView, rule: str) -> None:
    advice = Decision(model="b", action=DecidedAction.SLEEP, reason="quiet")
    [guarded] = guard([advice], seen(device(free=1), model), POLICY)
    assert guarded.dropped_by == rule


def test_nobody_is_woken_against_a_rule() -> None:
    advice = Decision(model="b", action=DecidedAction.WAKE, reason="soon")
    for model, rule in [(loaded("b"), "not_asleep"), (asleep("b", removed=True), "going")]:
        assert guard([advice], seen(device(), model), POLICY)[0].dropped_by == rule
    assert guard([advice], seen(device(free=1), asleep("b")), POLICY)[0].dropped_by == "ledger"


def test_one_that_is_used_often_is_worth_more_in_host_memory() -> None:
    """Although it was used longer ago."""
    often, seldom = Habit(), Habit()
    for _ in range(20):
        often, seldom = often.after(60), seldom.after(3600)
    place = seen(
        FULL,
        device(1, total=1, free=0.5),
        asleep("seldom", on=1, idle_s=10.0, habit=seldom),
        sleepy("often", idle_s=30.0, habit=often),
        waiting("a"),
    )
    assert done(beside(place, 2)) == ["unload seldom"]


ASKED = {"sleep_requested": True}


def test_who_is_asked_to_sleep_does_so_at_once_and_whether_it_pays_or_not() -> None:
    seldom = sleepy("b", in_flight=1, idle_s=900.0, loaded_for_s=1.0, **ASKED)
    place = beside(seen(device(free=1), seldom), 8)
    assert decide(place, (), POLICY) == [Sleep("b", level=1, reason="an operator asked for it")]
    later = beside(seen(device(free=3), asleep("b", idle_s=900.0, **ASKED)), 5)
    assert done(later) == []


def test_who_is_asked_to_sleep_takes_the_way_that_there_is_room_for() -> None:
    both = sleepy("b", LEVEL_1, LEVEL_2, **ASKED)
    assert done(beside(seen(device(free=1), both), 2)) == ["sleep b at 2"]
    assert done(beside(seen(device(free=1), sleepy("b", **ASKED)), 2)) == []


@pytest.mark.parametrize(
    "why",
    [
        {"pinned": True},
        {"sleeps": ()},
        {"unload_requested": True},
        {"removed": True},
    ],
)
def test_who_is_asked_to_sleep_and_may_not_is_not_put_to_sleep(why: dict[str, Any]) -> None:
    place = beside(seen(device(free=1), sleepy("b", **ASKED, **why)), 8)
    assert not [a for a in decide(place, (), POLICY) if isinstance(a, Sleep)]


def test_who_was_asked_to_sleep_is_woken_for_who_waits() -> None:
    place = seen(device(free=3.5), asleep("a", waiting=1, wanted_for_s=1.0, **ASKED))
    assert done(place) == ["wake a"]
