"""What a tick tells of a model that may be loaded before it is asked for."""

from typing import Any

import pytest

from modelium.common.records import DeviceKind, ModelState
from modelium.core.habit import Habit
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from modelium.core.ticks import figures_of_models
from modelium.core.transitions import Expected

DEVICE = DeviceView("d", "a", DeviceKind.CPU, "d", total_bytes=100, free_bytes=100)


def every_ten_minutes() -> Habit:
    habit = Habit()
    for _ in range(9):
        habit = habit.after(600)
    return habit


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"idle_s": 550}, False),  # its load takes 20 s, and 10 are to spare
        ({"idle_s": 550, "load_s": 60}, True),
        ({"sent_away": True}, False),
        ({"loaded_ahead_s": 9.0}, False),  # it was once, and nobody came
        ({"blocked": "no runtime serves it"}, False),
        ({"removed": True}, False),
        ({"retry_in_s": 5}, False),
        ({"idle_s": None}, False),
    ],
)
def test_a_model_is_expected_by_its_pauses_unless_it_may_not_be_loaded(
    changes: dict[str, Any], expected: bool
) -> None:
    known = {"idle_s": 580, "load_s": 20, "habit": every_ten_minutes()}
    model = ModelView("m", ModelState.UNLOADED, {DeviceKind.CPU: 10}, **known | changes)
    (figures,) = figures_of_models(Snapshot((model,), (DEVICE,)), Policy(), {})
    assert (figures.soon_chance > 0) is expected


@pytest.mark.parametrize(
    ("chance", "changes", "expected"),
    [
        (0.6, {"idle_s": 300}, (0.6, "other")),  # its own pauses say nothing yet
        (0.6, {"idle_s": None, "habit": None}, (0.6, "other")),
        (0.95, {}, (0.95, "other")),
        (0.6, {}, (0.9, None)),  # nine of ten: its own pauses say more
        (0.95, {"sent_away": True}, (0.0, None)),
        (0.95, {"blocked": "no runtime serves it"}, (0.0, None)),
    ],
)
def test_the_reason_counts_that_says_more(
    chance: float, changes: dict[str, Any], expected: tuple[float, str | None]
) -> None:
    known = {"idle_s": 580, "load_s": 20, "habit": every_ten_minutes()}
    known |= {"expected": Expected("other", chance)}
    model = ModelView("m", ModelState.UNLOADED, {DeviceKind.CPU: 10}, **known | changes)
    (figures,) = figures_of_models(Snapshot((model,), (DEVICE,)), Policy(), {})
    assert (figures.soon_chance, figures.soon_after) == expected


@pytest.mark.parametrize(("began_s", "soon"), [(5.0, True), (40.0, False)])
def test_who_was_loaded_for_nobody_is_expected_again_only_once_another_begins(
    began_s: float, soon: bool
) -> None:
    known = {"idle_s": 580, "load_s": 20, "habit": every_ten_minutes(), "loaded_ahead_s": 30.0}
    other = Expected("other", 0.5, since_s=began_s)
    model = ModelView("m", ModelState.UNLOADED, {DeviceKind.CPU: 10}, expected=other, **known)
    (figures,) = figures_of_models(Snapshot((model,), (DEVICE,)), Policy(), {})
    assert (figures.soon_chance, figures.soon_after) == ((0.5, "other") if soon else (0.0, None))
