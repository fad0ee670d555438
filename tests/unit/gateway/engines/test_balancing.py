"""The choice among instances."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelium.gateway.engines.balancing import GUARD_REQUESTS, Candidate, choose, home_of


def candidates(*loads: int) -> list[Candidate]:
    return [Candidate(generation, load) for generation, load in enumerate(loads, 1)]


@given(st.lists(st.integers(0, 300), min_size=2, max_size=6, unique=True), st.integers())
def test_the_busiest_gets_nothing_when_all_loads_differ(loads: list[int], seed: int) -> None:
    assert choose(candidates(*loads), None, Random(seed)).load < max(loads)


def test_requests_that_last_spread_evenly() -> None:
    random, loads = Random(7), Counter({1: 0, 2: 0, 3: 0, 4: 0})
    for _ in range(400):
        chosen = choose([Candidate(g, n) for g, n in loads.items()], None, random)
        loads[chosen.generation] += 1
    assert max(loads.values()) - min(loads.values()) <= 4


@pytest.mark.parametrize(
    ("loads", "is_followed"),
    [
        ((0, 0), True),
        ((GUARD_REQUESTS, 0), True),  # within the absolute guard
        ((GUARD_REQUESTS + 1, 0), False),  # beyond both
        ((100 + GUARD_REQUESTS + 1, 100), True),  # beyond the absolute one only
        ((151, 100), False),
    ],
)
def test_the_preferred_one_is_followed_unless_it_is_much_busier(
    loads: tuple[int, int], is_followed: bool
) -> None:
    assert choose(candidates(*loads), 1, Random(0)).generation == (1 if is_followed else 2)


def test_a_preferred_one_that_is_no_candidate_is_passed_over() -> None:
    assert choose(candidates(5, 0), 9, Random(0)).generation == 2


def test_sessions_have_homes_all_over_and_keep_them_when_another_instance_goes() -> None:
    sessions = [f"s{number}".encode() for number in range(300)]
    homes = {session: home_of(session, [1, 2, 3]) for session in sessions}
    assert min(Counter(homes.values()).values()) > 60
    for session, home in homes.items():
        if home != 3:
            assert home_of(session, [1, 2]) == home
