"""What a language model is asked to try, and what its answer means."""

import pytest

from modelium.common.settings_policies import Policies
from modelium.core.prompts import NoAnswer
from modelium.core.tuning import KNOBS
from modelium.core.tuning_question import CHOICES, DemandFigures, about_tuning, proposed

GB = 10**9
DEMAND = DemandFigures(
    requests=7200,
    hours=2.0,
    busy_s=3.25,
    devices=2,
    device_bytes=24 * GB,
    sizes_bytes=(8 * GB, 16 * GB, 20 * GB),
    loads_s=(20.0, 40.0, 30.0),
)
BOTH = {"displace_after_seconds", "min_residency_seconds"}


def test_it_is_told_of_the_demand_in_four_lines() -> None:
    question = about_tuning(Policies(), (), DEMAND)
    assert question is not None
    assert question.user.splitlines() == [
        "now: displace_after_seconds=25 min_residency_seconds=5",
        "gpus: 2 of 24 gb",
        "models: 3, 44 gb in all, load_s=30",
        "requests: 7200 in 2.0 hours, 3.2 s each",
    ]


def test_it_is_not_asked_where_an_operator_has_set_all() -> None:
    assert about_tuning(Policies(), BOTH, DEMAND) is None


def test_its_choices_are_those_that_may_be_tuned_within_their_bounds() -> None:
    assert {knob.policy: (knob.least, knob.most) for knob in KNOBS} == {
        name: (min(values), max(values)) for name, values in CHOICES.items()
    }


@pytest.mark.parametrize(
    ("displace", "residency", "expected"),
    [
        ("25", "5", {}),  # as it is
        ("50", "5", {"displace_after_seconds=50": Policies(displace_after_seconds=50)}),
        (
            "50",
            "20",
            {
                "displace_after_seconds=50 min_residency_seconds=20": Policies(
                    displace_after_seconds=50, min_residency_seconds=20
                )
            },
        ),
    ],
)
def test_its_answer_is_a_candidate(
    displace: str, residency: str, expected: dict[str, Policies]
) -> None:
    said = f'{{"displace_after_seconds": "{displace}", "min_residency_seconds": "{residency}"}}'
    assert proposed(said, Policies(), ()) == expected


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        '{"displace_after_seconds": "50"}',
        '{"displace_after_seconds": "51", "min_residency_seconds": "5"}',  # not offered
        '{"displace_after_seconds": "50", "min_residency_seconds": "5", "always_loaded": "a"}',
    ],
)
def test_what_has_another_form_is_no_answer(said: str) -> None:
    with pytest.raises(NoAnswer):
        proposed(said, Policies(), ())


def test_it_cannot_change_what_an_operator_has_set() -> None:
    said = '{"displace_after_seconds": "50", "min_residency_seconds": "20"}'
    with pytest.raises(NoAnswer):
        proposed(said, Policies(), {"displace_after_seconds"})
