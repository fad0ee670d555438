"""What a first load is taken to last."""

import pytest

from modelium.core.policy import Policy, learned
from tests.unit.core.places import device, done, loaded, seen, waiting


@pytest.mark.parametrize(
    ("loads_s", "expected"), [([], 30.0), ([2.0], 2.0), ([1.0, 40.0, 3.0], 3.0)]
)
def test_it_is_taken_for_a_middling_one_of_those_that_were_measured(
    loads_s: list[float], expected: float
) -> None:
    assert learned(Policy(), loads_s).unknown_load_s == expected


def test_a_model_in_demand_does_not_give_way_to_one_that_nobody_ever_loaded() -> None:
    """At a tenth of its rate, with a load that would count for 30 s against its own second."""
    busy = loaded("b", in_flight=4, rate_per_s=20.0, load_s=1.0, idle_s=0.0)
    rare = waiting("a", rate_per_s=2.0)
    assert done(seen(device(free=1), busy, rare)) == []
    assert done(seen(device(free=1), busy, waiting("a", rate_per_s=40.0))) == ["unload b"]
