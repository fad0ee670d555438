"""Which model is expected because another has begun."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.core.habit import LONG_S
from modelium.core.transitions import (
    FEWEST,
    FOLLOWS_S,
    FRESH_S,
    KEPT,
    MOST_FOLLOWERS,
    MOST_RECENT,
    UNSURE,
    Transitions,
)

ROUND_S = 1000.0
"""Longer than anybody is taken to follow another."""


def used(*begins: tuple[str, float], known: Transitions | None = None) -> Transitions:
    """Each began then, after a long pause."""
    transitions = known or Transitions()
    for model, at_s in begins:
        transitions.used_after(model, ROUND_S, at_s)
    return transitions


def rounds(count: int, *, lag_s: float = 30, first: int = 0) -> list[tuple[str, float]]:
    """B begins so long after A, so many times."""
    return [
        begin
        for number in range(first, first + count)
        for begin in (("a", number * ROUND_S), ("b", number * ROUND_S + lag_s))
    ]


def chance(known: Transitions, now_s: float, model: str = "b") -> float:
    found = known.expected(now_s).get(model)
    return found.chance if found else 0.0


def test_who_follows_is_expected_as_soon_as_the_other_begins() -> None:
    known = used(*rounds(9), ("a", 9 * ROUND_S))
    assert known.expected(9 * ROUND_S + 1)["b"].after == "a"
    assert 0.6 < chance(known, 9 * ROUND_S + 1) < 9 / (9 + UNSURE)
    assert "a" not in known.expected(9 * ROUND_S + 1)  # nobody is expected after itself


@pytest.mark.parametrize(
    ("begins", "at_s", "expected"),
    [
        (rounds(9), 9 * ROUND_S + 1, False),  # the other has not begun
        ([*rounds(9), ("a", 9000)], 9000 + FRESH_S + 1, False),  # it began a while ago
        ([*rounds(9), ("a", 9000), ("b", 9001)], 9002, False),  # it is there already
        ([*rounds(9, lag_s=FOLLOWS_S), ("a", 9000)], 9001, True),
        ([*rounds(9, lag_s=FOLLOWS_S + 1), ("a", 9000)], 9001, False),  # much later
        (
            [*sorted(rounds(9, lag_s=-30), key=lambda begin: begin[1]), ("a", 9000)],
            9001,
            False,
        ),  # it goes before
        (
            [*rounds(3), ("a", 3000)],
            3001,
            False,
        ),  # three times may be chance: older ones count less
        ([*rounds(4), ("a", 4000)], 4001, True),
    ],
)
def test_only_who_often_follows_and_has_not_come_yet_is_expected(
    begins: list[tuple[str, float]], at_s: float, expected: bool
) -> None:
    assert ("b" in used(*begins).expected(at_s)) is expected


def test_a_begin_counts_once_for_each_that_follows_however_often_it_begins() -> None:
    twice = [
        begin
        for n in range(20)
        for begin in (("a", n * ROUND_S), ("b", n * ROUND_S + 5), ("b", n * ROUND_S + 110))
    ]
    once = used(*rounds(20, lag_s=5), ("a", 20 * ROUND_S))
    again = used(*twice, ("a", 20 * ROUND_S))
    assert chance(again, 20 * ROUND_S) == chance(once, 20 * ROUND_S) > 0


def test_each_of_two_begins_in_a_row_was_followed() -> None:
    begins = [
        begin
        for n in range(20)
        for begin in (("a", n * ROUND_S), ("a", n * ROUND_S + 70), ("b", n * ROUND_S + 80))
    ]
    assert chance(used(*begins, ("a", 20 * ROUND_S)), 20 * ROUND_S) > 0.8


def test_short_pauses_are_no_begins() -> None:
    known = used(*rounds(9))
    known.used_after("a", LONG_S - 1, 9000)
    assert known.expected(9001) == {}


def test_what_has_changed_is_forgotten() -> None:
    """Fifty rounds without B: were the counts kept whole, it would still be expected at 0.5."""
    known = used(*rounds(50), *[("a", n * ROUND_S) for n in range(50, 60)])
    assert 0.4 < chance(known, 59 * ROUND_S) < 0.6
    used(*[("a", n * ROUND_S) for n in range(60, 100)], known=known)
    assert chance(known, 99 * ROUND_S) == 0


def test_what_has_begun_lately_is_soon_known() -> None:
    known = used(*[("a", n * ROUND_S) for n in range(200)], *rounds(30, first=200))
    assert chance(used(("a", 230_000), known=known), 230_001) > 0.5


def test_the_likeliest_reason_counts() -> None:
    begins = [
        begin
        for n in range(20)
        for begin in (
            ("a", n * ROUND_S),
            ("rare", n * ROUND_S + 1),
            *([("b", n * ROUND_S + 20)] if n % 2 else []),
            *([("sure", n * ROUND_S + 500), ("b", n * ROUND_S + 510)]),
        )
    ]
    known = used(*begins, ("sure", 20_000), ("a", 20_001))
    assert known.expected(20_002)["b"].after == "sure"
    assert 0.7 < chance(known, 20_002) < 0.8
    assert known.expected(20_002)["rare"].after == "a"


def test_of_thousands_of_models_only_a_few_followers_are_kept_and_the_best_are_among_them() -> None:
    known = Transitions()
    at_s = 0.0
    for number in range(60):
        at_s += ROUND_S
        used(("a", at_s), ("b", at_s + 1), known=known)
        others = ((f"other-{(40 * number + n) % 2000}", at_s + 2 + n / 50) for n in range(40))
        used(*others, known=known)
    assert size(known) <= 2002 * (1 + MOST_FOLLOWERS) + MOST_RECENT * (1 + MOST_RECENT)
    assert len(known._known["a"].followers) == MOST_FOLLOWERS
    assert chance(used(("a", at_s + ROUND_S), known=known), at_s + ROUND_S) > 0.8


def test_of_a_crowd_that_begins_at_once_only_the_last_can_be_followed() -> None:
    known = used(*((f"m{n}", 1 + n / 1000) for n in range(1000)))
    assert len(known._recent) == MOST_RECENT
    assert size(known) <= 1000 * (1 + MOST_FOLLOWERS) + MOST_RECENT * MOST_RECENT


def size(known: Transitions) -> int:
    """Entries that are kept."""
    pairs = sum(1 + len(of.followers) for of in known._known.values())
    return pairs + sum(1 + len(begin.followers) for begin in known._recent)


def test_models_that_are_gone_are_forgotten_with_whom_they_followed() -> None:
    known = used(*rounds(9), ("a", 9000))
    known.keep_only({"a"})
    assert known.expected(9001) == {}
    assert size(known) <= 3
    known.keep_only(())
    assert size(known) == 0
    used(("b", 9010), known=known)  # what it would have followed is not known any more
    assert chance(used(*rounds(9, first=10), ("a", 19_000), known=known), 19_001) > 0


names = st.sampled_from([f"m{n}" for n in range(40)])
gaps = st.floats(0, 200)


@given(st.lists(st.tuples(names, gaps), max_size=300), st.floats(0, 300))
def test_a_chance_is_less_than_certain_and_the_memory_bounded(
    uses: list[tuple[str, float]], later_s: float
) -> None:
    known, now_s = Transitions(), 0.0
    for model, gap_s in uses:
        now_s += gap_s
        used((model, now_s), known=known)
        for name, why in known.expected(now_s).items():
            assert 0 < why.chance < 1
            assert name != why.after
    assert all(len(of.followers) <= MOST_FOLLOWERS for of in known._known.values())
    assert len(known._recent) <= MOST_RECENT
    assert later_s <= FRESH_S or known.expected(now_s + later_s) == {}
    assert FEWEST > 1 > KEPT
