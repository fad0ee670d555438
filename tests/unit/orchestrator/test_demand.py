"""What gateways say, added up."""

from typing import Any

import pytest

from modelium.common.events import GatewayStats
from modelium.common.figures import GatewayModelStats
from modelium.core.habit import Habit
from modelium.orchestrator.demand import Demand, ModelDemand


def stats(gateway: str, **changes: Any) -> GatewayStats:
    figures = {
        "model": "a",
        "requests": 0,
        "failures": 0,
        "in_flight": 0,
        "waiting": 0,
        "oldest_wait_s": 0,
        "idle_s": None,
        "routed_generations": (),
    }
    model = GatewayModelStats.model_validate(figures | changes)
    return GatewayStats(gateway_id=gateway, models=(model,))


def test_gateways_add_up_and_the_oldest_waiter_counts() -> None:
    demand = Demand()
    demand.heard(stats("one", in_flight=2, waiting=1, oldest_wait_s=3, idle_s=8), 10)
    demand.heard(stats("two", in_flight=1, waiting=4, oldest_wait_s=5, idle_s=2), 11)
    assert demand.of("a", 12).waiting == 5
    assert demand.of("a", 12).in_flight == 3
    assert demand.of("a", 12).oldest_wait_s == 6  # 5 s when it was said, a second ago


def test_the_newest_keep_alive_counts_whichever_gateway_it_came_by() -> None:
    demand = Demand()
    demand.heard(stats("one", keep_alive_s=300, keep_alive_age_s=2), 10)
    demand.heard(stats("two", keep_alive_s=0, keep_alive_age_s=5), 10)
    demand.heard(stats("three"), 10)
    seen = demand.of("a", 12)
    assert (seen.keep_alive_s, seen.keep_alive_age_s) == (300, 4)


@pytest.mark.parametrize(
    ("by", "others_idle_s"),
    [("acme", 5), ("globex", 4), ("initech", 4), ("", 4)],
)
def test_others_are_those_of_another_organization_at_any_gateway(
    by: str, others_idle_s: float
) -> None:
    demand = Demand()
    one = {"acme": 2.0, "initech": 9.0}
    demand.heard(stats("one", keep_alive_s=0, keep_alive_by=by, organizations_idle_s=one), 10)
    demand.heard(stats("two", organizations_idle_s={"acme": 8.0, "globex": 3.0}), 10)
    demand.heard(stats("two", organizations_idle_s={"acme": 9.0, "globex": 4.0}), 11)
    assert demand.of("a", 12).others_idle_s == others_idle_s


def test_whether_all_gateways_have_spoken_since() -> None:
    demand = Demand()
    assert not demand.all_have_spoken(0, 1)
    demand.heard(stats("one"), 10)
    demand.heard(stats("two"), 12)
    assert not demand.all_have_spoken(11, 12)
    assert demand.all_have_spoken(11, 15)  # the first has fallen silent


def test_a_model_nobody_spoke_of_is_not_wanted() -> None:
    assert Demand().of("a", 0) == ModelDemand()


@pytest.mark.parametrize(("later_s", "in_flight"), [(4.9, 2), (5.0, 0)])
def test_a_silent_gateways_leases_end_after_five_seconds(later_s: float, in_flight: int) -> None:
    demand = Demand()
    demand.heard(stats("one", in_flight=2), 10)
    assert demand.of("a", 10 + later_s).in_flight == in_flight


def test_the_last_use_outlives_the_gateway_that_saw_it() -> None:
    demand = Demand()
    demand.heard(stats("one", idle_s=3), 10)
    demand.heard(stats("two", idle_s=None), 60)
    assert demand.of("a", 60).idle_s == 53


def test_a_model_in_use_is_not_idle() -> None:
    demand = Demand()
    demand.heard(stats("one", idle_s=30, in_flight=1), 10)
    assert demand.of("a", 12).idle_s == 0


def test_requests_are_counted_from_what_was_heard_first() -> None:
    demand = Demand()
    demand.heard(stats("one", requests=1000), 10)  # long before this orchestrator started
    demand.heard(stats("one", requests=1006), 11)
    demand.heard(stats("two", requests=4), 11)
    demand.heard(stats("two", requests=5), 12)
    assert demand.ended("a") == 7


def test_the_rate_falls_once_requests_stop() -> None:
    demand = Demand()
    for second in range(600):
        demand.heard(stats("one", requests=2 * second), second)
    assert demand.of("a", 600).rate_per_s == pytest.approx(2, rel=0.05)
    assert demand.of("a", 660).rate_per_s == pytest.approx(2 / 2.718, rel=0.05)


def test_a_model_that_is_gone_is_forgotten_with_its_figures() -> None:
    demand = Demand()
    demand.heard(stats("one", requests=0, idle_s=1), 10)
    demand.heard(stats("one", requests=5, idle_s=1), 11)
    demand.keep_only({"b"})
    assert demand.ended("a") == 0
    assert demand.of("a", 20) == ModelDemand()


def test_pauses_between_uses_are_noted_once_each() -> None:
    demand = Demand()
    demand.heard(stats("one", idle_s=0), 100)
    for second in range(1, 20):
        demand.heard(stats("one", idle_s=second), 100 + second)  # nothing happens
    for second in range(20, 30):
        demand.heard(stats("one", in_flight=1, idle_s=20), 100 + second)  # used without a pause
    demand.heard(stats("one", requests=1, idle_s=0.5), 130)
    demand.heard(stats("one", requests=1, waiting=1, oldest_wait_s=0.5, idle_s=60), 190)
    assert demand.of("a", 190).habit == Habit().after(20).after(60)


def test_who_follows_whom_is_known_from_the_same_pauses_and_forgotten_with_the_model() -> None:
    demand = Demand()
    for now_s in range(1000):
        round_s = now_s % 200
        demand.heard(stats("one", in_flight=int(round_s < 20)), now_s)
        demand.heard(stats("two", model="b", in_flight=int(10 <= round_s < 20)), now_s)
        demand.heard(stats("three", model="b", in_flight=int(12 <= round_s < 30)), now_s)
    demand.heard(stats("one", in_flight=1), 1000)
    found = demand.transitions.expected(1001)["b"]
    assert found.after == "a"
    assert found.chance == pytest.approx(3.52 / 7.52, abs=0.01)  # four times, through two gateways
    demand.keep_only({"a"})
    assert demand.transitions.expected(1001) == {}


def test_a_use_between_two_reports_ends_a_pause() -> None:
    demand = Demand()
    demand.heard(stats("one", requests=1, idle_s=0), 100)
    demand.heard(stats("one", requests=1, idle_s=39), 139)
    demand.heard(stats("one", requests=2, idle_s=0.2), 140)
    assert demand.of("a", 140).habit == Habit().after(39.8)


def test_another_gateways_use_is_no_pause() -> None:
    demand = Demand()
    for second in range(100):
        demand.heard(stats("one", in_flight=1), second)
    demand.heard(stats("two", idle_s=None), 98)
    demand.heard(stats("two", in_flight=1), 99)
    assert demand.of("a", 99).habit == Habit()


def test_clients_that_come_back_go_on_with_the_age_of_their_first_wait() -> None:
    demand = Demand()
    demand.heard(stats("one", waiting=1, oldest_wait_s=10), 20)
    demand.heard(stats("one"), 60)  # told to come back
    assert demand.of("a", 60).unmet_s == 0
    demand.heard(stats("one", waiting=1, oldest_wait_s=1), 100)
    assert (demand.of("a", 100).oldest_wait_s, demand.of("a", 100).unmet_s) == (1, 90)
    demand.heard(stats("one", waiting=1, oldest_wait_s=1), 300)  # too late to be the same
    assert demand.of("a", 300).unmet_s == 1


def test_a_model_that_serves_begins_anew() -> None:
    demand = Demand()
    demand.heard(stats("one", waiting=1, oldest_wait_s=50), 50)
    demand.heard(stats("one", routed_generations=(1,)), 60)
    demand.heard(stats("one", waiting=1, oldest_wait_s=2), 70)
    assert demand.of("a", 70).unmet_s == 2
