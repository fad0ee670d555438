"""When a model is expected to be used again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.core.habit import RECENT, Habit, Rate, next_use_s, soon_chance

pauses = st.lists(st.floats(0, 1e6), max_size=40)


def used(*pauses_s: float) -> Habit:
    habit = Habit()
    for pause_s in pauses_s:
        habit = habit.after(pause_s)
    return habit


@pytest.mark.parametrize("unused_s", [2, 30, 4000, 1e6])
def test_of_an_unknown_model_recency_counts(unused_s: float) -> None:
    assert next_use_s(None, unused_s) == unused_s
    assert next_use_s(Habit(), unused_s) == pytest.approx(unused_s, rel=0.1)


def test_a_timer_is_expected_after_its_pause() -> None:
    every_ten_minutes = used(*[600] * 20)
    assert next_use_s(every_ten_minutes, 5) == pytest.approx(595, rel=0.15)
    assert next_use_s(every_ten_minutes, 590) < 60
    assert next_use_s(every_ten_minutes, 590) < next_use_s(used(*[3600] * 20), 590)


def test_a_pause_longer_than_ever_is_judged_by_recency() -> None:
    assert next_use_s(used(*[10] * 20), 2000) == pytest.approx(2000, rel=0.1)


def test_newer_pauses_count_more() -> None:
    slower, faster = used(*[60] * 50, *[3000] * 50), used(*[3000] * 50, *[60] * 50)
    assert next_use_s(faster, 20) < next_use_s(slower, 20)


@given(pauses, st.floats(0, 1e7))
def test_it_is_always_in_the_future(pauses_s: list[float], unused_s: float) -> None:
    assert next_use_s(used(*pauses_s), unused_s) > 0


def test_a_rate_falls_once_requests_stop() -> None:
    rate = Rate()
    for second in range(600):
        rate.add(2, second)
    assert rate.per_s(600) == pytest.approx(2, rel=0.05)
    assert rate.per_s(660) == pytest.approx(2 / 2.718, rel=0.05)


EVERY_TEN_MINUTES = used(*[600, 603, 598, 601, 602])


@pytest.mark.parametrize(
    ("habit", "unused_s", "expected"),
    [
        (None, 590, 0),
        (used(600, 600, 600), 590, 0),  # three times may be chance
        (EVERY_TEN_MINUTES, 590, 5 / 6),
        (EVERY_TEN_MINUTES, 500, 0),  # too early
        (EVERY_TEN_MINUTES, 700, 0),  # it did not come
        (used(*[5] * 90, *[600] * 4, *[5] * 90), 590, 4 / 5),  # a use is many requests
        (used(*[5] * 20), 4, 0),  # recency says enough of it
        (used(*[600] * 4, *[2000] * 4), 590, 4 / 9),  # as often much later
    ],
)
def test_only_what_comes_regularly_is_likely_to_come_soon(
    habit: Habit | None, unused_s: float, expected: float
) -> None:
    assert soon_chance(habit, unused_s, 40) == pytest.approx(expected)


@given(pauses, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_chance_is_less_than_certain_and_grows_with_the_time_given(
    pauses_s: list[float], unused_s: float, within_s: float
) -> None:
    habit = used(*pauses_s)
    assert len(habit.recent_s) <= RECENT
    assert 0 <= soon_chance(habit, unused_s, within_s) < 1
    assert soon_chance(habit, unused_s, within_s) <= soon_chance(habit, unused_s, 2 * within_s)
