"""How fast a queue empties."""

import pytest

from modelium.gateway.waiting.flow import ENOUGH, LOOKED_AT, Flow


def a_flow(*, each_s: float, times: int, last_behind: int = 1) -> Flow:
    flow = Flow()
    for number in range(times):
        flow.went(number * each_s, behind=1 if number < times - 1 else last_behind)
    return flow


def test_nothing_is_known_before_two_have_gone() -> None:
    assert a_flow(each_s=1, times=1).takes_s(10) == 0


def test_it_takes_as_long_as_those_before_took() -> None:
    assert a_flow(each_s=0.5, times=20).takes_s(60) == pytest.approx(30)


def test_a_burst_at_the_beginning_is_forgotten() -> None:
    flow = Flow()
    for _ in range(32):
        flow.went(0, behind=100)
    for number in range(LOOKED_AT):
        flow.went(float(number), behind=100)
    assert flow.takes_s(30) == pytest.approx(30)


def test_time_in_which_nobody_waits_does_not_count() -> None:
    flow = a_flow(each_s=0.5, times=20, last_behind=0)
    for number in range(ENOUGH):
        flow.went(10_000 + number * 0.5, behind=1)
    assert flow.takes_s(10) == pytest.approx(5)


def test_what_was_learned_is_not_given_up_for_a_few() -> None:
    flow = a_flow(each_s=0.5, times=20, last_behind=0)
    flow.went(10_000, behind=1)
    flow.went(10_060, behind=1)
    assert flow.takes_s(10) == pytest.approx(5)
