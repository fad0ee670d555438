"""When an advisor is asked, about whom, and for what."""

import pytest

from modelium.common.figures import DecidedAction
from modelium.common.records import ModelState
from modelium.core.contest import MOST_MODELS, contest, names
from modelium.core.policy import Policy
from tests.unit.brain.kit import cold, figures, tick

POLICY = Policy()
KEEP, EVICT, LOAD = DecidedAction.KEEP, DecidedAction.EVICT, DecidedAction.LOAD
SLEEP, WAKE = DecidedAction.SLEEP, DecidedAction.WAKE


def test_where_nobody_wants_anything_there_is_no_choice() -> None:
    assert contest(tick(figures("a"), cold("b", next_use_s=10_000)), POLICY) == ()


@pytest.mark.parametrize("wanted", [{"waiting": 2}, {"next_use_s": 30}, {"soon_chance": 0.5}])
def test_a_model_that_is_wanted_or_expected_soon_is_up_for_choice(wanted: dict[str, float]) -> None:
    found = contest(tick(figures("a"), cold("b", **{"next_use_s": None} | wanted)), POLICY)
    assert names(found) == ("b", "a")
    assert [each.options for each in found] == [(KEEP, LOAD), (KEEP, EVICT)]


def test_a_device_that_is_too_full_is_a_choice_of_who_goes() -> None:
    policy = Policy(evict_when_memory_above_percent=80)
    assert names(contest(tick(figures("a"), figures("b", next_use_s=900)), policy)) == ("b", "a")


@pytest.mark.parametrize(
    "kept", [{"pinned": True}, {"in_flight": 1}, {"loaded_for_s": 1}, {"keep_alive_s": 5}]
)
def test_engines_that_may_not_go_are_not_up_for_choice(kept: dict[str, float]) -> None:
    assert names(contest(tick(figures("a", **kept), cold("b", waiting=1)), POLICY)) == ("b",)


def test_sleep_and_wake_are_options_where_they_are_possible() -> None:
    found = contest(
        tick(
            figures("a", can_sleep=True),
            cold("b", state=ModelState.SLEEPING, next_use_s=5),
        ),
        POLICY,
    )
    assert {e.figures.model: e.options for e in found} == {
        "a": (KEEP, SLEEP, EVICT),
        "b": (KEEP, WAKE, EVICT),
    }


def test_the_most_urgent_and_the_least_wanted_are_asked_about_and_no_more_than_a_few() -> None:
    engines = [figures(f"e{n}", next_use_s=100 + n) for n in range(40)]
    wanted = [cold(f"w{n}", waiting=n) for n in range(40)]
    found = names(contest(tick(*engines, *wanted), POLICY))
    assert len(found) == MOST_MODELS
    assert found[0] == "w39"
    assert "e39" in found
