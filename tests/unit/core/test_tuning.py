"""When other policies have won the replay of the recent demand."""

import pytest

from modelium.common.settings_policies import Policies
from modelium.core.tuning import CURRENT, LRU, Replayed, Streak, Verdict, candidates, verdict


def each(
    mean_s: float,
    older_s: float | None = None,
    newer_s: float | None = None,
    *,
    p99_s: float = 100.0,
    cold: int = 500,
    too_late: int = 0,
) -> Replayed:
    """Of a half that is not given, the same as over all."""
    return Replayed(mean_s, older_s or mean_s, newer_s or mean_s, p99_s, cold, too_late)


NOW, SLOW = each(10.0), each(20.0)


def test_a_candidate_is_one_step_of_one_number() -> None:
    assert candidates(Policies(), ()).keys() == {
        "displace_after_seconds=12.5",
        "displace_after_seconds=50",
        "min_residency_seconds=2.5",
        "min_residency_seconds=10",
    }
    [later] = [p for n, p in candidates(Policies(), ()).items() if n == "displace_after_seconds=50"]
    assert later == Policies(displace_after_seconds=50)


@pytest.mark.parametrize(
    ("now", "steps"),
    [
        (100.0, {"displace_after_seconds=50", "displace_after_seconds=120"}),  # to the bound
        (120.0, {"displace_after_seconds=60"}),  # at the bound
        (300.0, {"displace_after_seconds=120"}),  # set by hand beyond it: a step back at most
        (0.0, {"displace_after_seconds=10"}),  # nothing is half of 0; up to the least
    ],
)
def test_steps_stay_within_bounds(now: float, steps: set[str]) -> None:
    found = candidates(Policies(displace_after_seconds=now), {"min_residency_seconds"})
    assert found.keys() == steps


def test_what_an_operator_has_set_is_left_alone() -> None:
    both = {"displace_after_seconds", "min_residency_seconds"}
    assert candidates(Policies(), both) == {}
    assert verdict({CURRENT: NOW, LRU: SLOW}).winner == ""


@pytest.mark.parametrize(
    ("rivals", "lru", "winner"),
    [
        ({"a": each(9.4)}, SLOW, "a"),
        ({"a": each(9.6)}, SLOW, ""),  # by less than 5 %
        ({"a": each(9.4), "b": each(9.0)}, SLOW, "b"),  # the best
        ({"a": each(9.0, older_s=7.0, newer_s=11.0)}, SLOW, ""),  # worse of late
        ({"a": each(9.0, older_s=11.0, newer_s=7.0)}, SLOW, ""),
        ({"a": each(9.0)}, each(8.6), "a"),  # behind LRU, but not by 5 %
        ({"a": each(9.0)}, each(8.5), ""),
        ({"a": each(9.0)}, each(9.5, older_s=8.0, newer_s=11.0), ""),  # behind it in one half
        ({"a": each(9.0)}, each(9.5, older_s=11.0, newer_s=8.0), ""),
    ],
)
def test_who_wins(rivals: dict[str, Replayed], lru: Replayed, winner: str) -> None:
    assert verdict({CURRENT: NOW, LRU: lru, **rivals}).winner == winner


@pytest.mark.parametrize(
    ("now_s", "lru_s", "says"),
    [
        (100.0, 100.0, ""),
        (99.9, 99.9, "longer than as it is"),
        (99.9, 200.0, "longer than as it is"),
        (200.0, 99.9, "longer than by LRU"),
    ],
)
def test_who_makes_the_unluckiest_wait_longer_does_not_win(
    now_s: float, lru_s: float, says: str
) -> None:
    # It won by its mean alone, and a few waited for minutes.
    place = {CURRENT: each(10.0, p99_s=now_s), LRU: each(20.0, p99_s=lru_s)}
    won = verdict({**place, "a": each(8.0, p99_s=105.0)})
    assert (won.winner, says in won.reason) == ("" if says else "a", True)


def test_the_next_best_takes_over_where_the_best_may_not() -> None:
    rivals = {"a": each(8.0, p99_s=200.0), "b": each(9.0), "c": each(9.2)}
    assert verdict({CURRENT: NOW, LRU: SLOW, **rivals}).winner == "b"


def test_too_few_waits_prove_nothing() -> None:
    few = each(10.0, cold=99)
    won = verdict({CURRENT: few, LRU: SLOW, "a": each(1.0)})
    assert won == Verdict("", "99 requests had to wait, too few to tell")


def test_who_would_have_more_requests_refused_does_not_win() -> None:
    late = [each(9.0, too_late=count) for count in (4, 5)]
    now = each(10.0, too_late=4)
    assert verdict({CURRENT: now, LRU: SLOW, "a": late[0]}).winner == "a"
    won = verdict({CURRENT: now, LRU: SLOW, "a": late[1]})
    assert (won.winner, "5 requests instead of 4" in won.reason) == ("", True)


def test_the_reason_has_the_figures() -> None:
    won = verdict({CURRENT: NOW, LRU: SLOW, "a": each(9.0)})
    means = "mean wait 9.00 s with a, 10.00 s as it is, 20.00 s by LRU"
    assert won.reason == f"{means}; p99 100.00, 100.00, 100.00 s"


def test_it_takes_two_rounds_in_a_row() -> None:
    a, b, nobody = Verdict("a", ""), Verdict("b", ""), Verdict("", "")
    assert not Streak().after(a).is_enough
    assert Streak().after(a).after(a).is_enough
    assert not Streak().after(a).after(b).is_enough
    assert not Streak().after(a).after(nobody).after(a).is_enough
