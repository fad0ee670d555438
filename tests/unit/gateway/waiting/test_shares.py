"""Who goes next, in which position somebody is, and who gives way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.gateway.waiting.shares import Claim, giving_way, next_organization, position


@pytest.mark.parametrize(
    ("in_flight", "expected"),
    [
        ({}, "b"),  # a tie: the oldest
        ({"b": 1}, "a"),
        ({"a": 1, "b": 1}, "b"),
        ({"a": 2, "b": 3, "other": 9}, "a"),
    ],
)
def test_the_one_with_the_fewest_in_flight_goes_next(
    in_flight: dict[str, int], expected: str
) -> None:
    assert next_organization({"a": [2, 3], "b": [1]}, in_flight) == expected


names = st.sampled_from("abcd")


@given(
    st.lists(names, min_size=1, max_size=25),
    st.dictionaries(names, st.integers(0, 6)),
)
def test_positions_are_the_order_in_which_they_go(
    arrivals: list[str], in_flight: dict[str, int]
) -> None:
    waiting: dict[str, list[int]] = {}
    for ticket, name in enumerate(arrivals):
        waiting.setdefault(name, []).append(ticket)
    expected = {
        position(waiting, in_flight, name, ticket): ticket for ticket, name in enumerate(arrivals)
    }
    assert sorted(expected) == list(range(1, len(arrivals) + 1))

    now = dict(in_flight)
    left = {name: list(tickets) for name, tickets in waiting.items()}
    for turn in range(1, len(arrivals) + 1):
        name = next_organization(left, now)
        assert left[name].pop(0) == expected[turn]
        now[name] = now.get(name, 0) + 1
        if not left[name]:
            del left[name]


def claims(**sizes: list[int]) -> list[Claim]:
    return [
        Claim(name, 100 * index + number, size)
        for index, (name, owned) in enumerate(sizes.items())
        for number, size in enumerate(owned)
    ]


@pytest.mark.parametrize(
    ("held", "need", "expected", "why"),
    [
        ({"a": [1, 1, 1]}, 1, [], "there is room"),
        ({"a": [1, 1, 1, 1]}, 1, [3], "the newest of the only other"),
        ({"a": [1, 1, 1], "new": [1]}, 1, [2], "two of four are its part"),
        ({"a": [1, 1], "new": [1, 1]}, 1, None, "it has its part"),
        ({"a": [1, 1], "b": [1, 1]}, 1, [1], "of two that have as much, the first"),
        ({"a": [1], "b": [1, 1, 1]}, 1, [102], "the one that has most"),
        ({"a": [1, 1, 1, 1]}, 2, [3, 2], "as many as are needed"),
        ({"a": [4]}, 1, [0], "a large one for a small one"),
        ({"a": [1, 1, 1, 1]}, 3, None, "three would be more than its part"),
    ],
)
def test_who_gives_way(
    held: dict[str, list[int]], need: int, expected: list[int] | None, why: str
) -> None:
    totals = {name: sum(sizes) for name, sizes in held.items()}
    assert giving_way(totals, claims(**held), "new", need, 4) == expected, why


def test_those_whose_answer_has_begun_never_give_way() -> None:
    assert giving_way({"a": 4}, [], "new", 1, 4) is None
    assert giving_way({"a": 4}, [Claim("a", 7, 1)], "new", 1, 4) == [7]
    # "b" has no more than its part, so the place cannot be taken from it instead
    assert giving_way({"a": 5, "b": 1}, [Claim("b", 9, 1)], "new", 1, 6) is None


@given(
    st.dictionaries(names, st.lists(st.integers(1, 5), min_size=1, max_size=6)),
    st.integers(1, 5),
    st.integers(1, 40),
)
def test_the_bound_is_kept_and_nobody_is_pushed_below_the_newcomer(
    held: dict[str, list[int]], need: int, bound: int
) -> None:
    totals = {name: sum(sizes) for name, sizes in held.items()}
    all_claims = claims(**held)
    tickets = giving_way(totals, all_claims, "a", need, bound)
    if tickets is None:
        return
    gone = [claim for claim in all_claims if claim.ticket in tickets]
    assert len(gone) == len(tickets)
    freed = sum(claim.size for claim in gone)
    assert sum(totals.values()) - freed + need <= bound
    assert all(claim.organization != "a" for claim in gone)
