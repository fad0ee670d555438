"""Leases, counters and the figures made of them."""

import math

import pytest

from modelium.common.records import ModelState
from modelium.common.testing import FakeClock, a_model_record
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.reporting.stats import Ending, Stats
from modelium.gateway.waiting.room import WaitingRoom
from tests.unit.gateway.calls import a_call


def figures(stats: Stats, now_s: float = 10) -> dict[str, object]:
    table = RouteTable()
    table.apply(
        a_model_record(version=1, state=ModelState.LOADED, endpoint="http://e", generation=2), 0
    )
    room = WaitingRoom(5, 100)
    room.enter(a_call(), "", now_s - 3)
    [one] = stats.snapshot(table, room, now_s)
    return one.model_dump()


def test_a_model_nobody_asked_for_has_no_idle_time() -> None:
    seen = figures(Stats())
    assert (seen["requests"], seen["idle_s"], seen["latency_p50_s"]) == (0, None, None)
    assert (seen["waiting"], seen["oldest_wait_s"], seen["routed_generations"]) == (1, 3, (2,))


def test_leases_are_counted_per_generation() -> None:
    stats = Stats()
    stats.enter("qwen", 1)
    stats.enter("qwen", 2)
    stats.enter("qwen", 2)
    assert figures(stats)["in_flight"] == 3
    assert figures(stats)["in_flight_generations"] == {1: 1, 2: 2}
    assert stats.leave("qwen", 1)
    assert not stats.leave("qwen", 2)
    assert figures(stats)["in_flight_generations"] == {2: 1}
    assert stats.leave("qwen", 2)
    assert figures(stats)["in_flight_generations"] == {}


async def test_ended_requests_set_idle_time_and_latency_of_the_good_ones() -> None:
    clock = FakeClock()
    stats = Stats(clock)
    await clock.advance(10)
    for took_s in (1.0, 2.0, 9.0):
        stats.ended("qwen", Ending.OK, 10 - took_s, 10 - took_s / 2)
    stats.ended("qwen", Ending.FAILED, 0, None)
    stats.ended("qwen", Ending.LEFT, 0, None)
    seen = figures(stats)
    assert (seen["requests"], seen["failures"]) == (5, 1)
    assert seen["latency_p50_s"] == 2.0
    assert stats.of("qwen").first_byte.total_s == 6.0


@pytest.mark.parametrize(
    ("said_s", "kept_s"), [(0, 0), (300, 300), (-1, -1), (-7, -1), (math.inf, -1)]
)
def test_how_long_to_keep_a_model_is_told_with_its_age(said_s: float, kept_s: float) -> None:
    clock = FakeClock()
    stats = Stats(clock)
    assert figures(stats)["keep_alive_s"] is None
    stats.used("qwen", "acme", 60)
    stats.used("qwen", "globex", said_s)
    stats.used("qwen", "acme")
    seen = figures(stats, clock.monotonic() + 4)
    assert (seen["keep_alive_s"], seen["keep_alive_age_s"]) == (kept_s, 4)
    assert seen["keep_alive_by"] == "globex"


async def test_of_the_organizations_that_use_a_model_the_last_two_are_told() -> None:
    clock = FakeClock()
    stats = Stats(clock)
    for organization in ("acme", "globex", "acme", "acme", "initech"):
        stats.used("qwen", organization)
        await clock.advance(1)
    assert figures(stats, clock.monotonic())["organizations_idle_s"] == {"acme": 2, "initech": 1}


def test_a_forgotten_model_with_work_is_kept_until_it_is_idle() -> None:
    stats = Stats()
    stats.enter("old", 1)
    stats.forget("old")
    names = [f.model for f in stats.snapshot(RouteTable(), WaitingRoom(1, 1), 0)]
    assert names == ["old"]
    stats.leave("old", 1)
    assert stats.snapshot(RouteTable(), WaitingRoom(1, 1), 0) == ()
    stats.forget("old")
    assert stats.models == {}
