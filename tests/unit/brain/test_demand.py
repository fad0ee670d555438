"""The recent demand that can be replayed, and what is forgotten of it."""

from modelium.brain.demand import Demand
from tests.unit.brain.kit import GB, cold, tick
from tests.unit.brain.test_tuning import stats


def test_demand_older_than_its_window_is_forgotten() -> None:
    demand = Demand(began_s=0.0, window_hours=1)
    demand.ticked(tick(cold("a", needed_bytes=8 * GB)))
    demand.heard(stats(0), 0.0)
    for second in range(1, 3700, 100):
        demand.heard(stats(4), second)
    demand.heard(stats(6), 3700.0)
    assert len(demand.newest()) == 2
    assert demand.newest()[0].at_s == 0


def test_what_a_model_needs_is_forgotten_with_its_last_request() -> None:
    demand = Demand(began_s=0.0, window_hours=1)
    demand.ticked(tick(cold("a", needed_bytes=8 * GB)))
    demand.heard(stats(0), 0.0)
    demand.heard(stats(4), 1.0)
    demand.ticked(tick())  # its folder is gone
    assert demand.needs.keys() == {"a"}
    demand.forget()
    demand.ticked(tick())
    assert not demand.needs
