"""How long a model is waited for at most, in figures."""

from modelium.core.bound import wait_bounds_s
from modelium.core.policy import Policy
from modelium.core.snapshot import SleepView
from tests.unit.core.places import GIB, cold, device, loaded, seen

POLICY = Policy(min_residency_s=5, displace_after_s=25, drain_deadline_s=40, stop_s=10)
TURN_S = 30 + 30 + 2 * 50
"""A load that was never measured, the time that it then serves, two engines stopped."""


def test_one_model_alone_waits_for_its_age_and_one_turn() -> None:
    assert wait_bounds_s(seen(device(), cold("a")), POLICY) == {"a": 25 + TURN_S}


def test_each_model_that_may_want_the_device_adds_its_age_and_its_turn() -> None:
    bounds = wait_bounds_s(seen(device(), cold("a", load_s=30), loaded("b", load_s=2)), POLICY)
    assert bounds["a"] == bounds["b"] == 2 * 25 + TURN_S + (2 + 5 + 2 * 50)


def test_a_model_that_shares_no_device_adds_its_age_only() -> None:
    small, large = device(0, total=2), device(1, total=9)
    by_size = seen(small, large, cold("a", 1), cold("b", 8))
    assert wait_bounds_s(by_size, POLICY)["b"] == 2 * 25 + 2 * TURN_S
    grown = seen(small, large, loaded("a", 10, on=0, load_s=None), cold("b", 8))
    assert wait_bounds_s(grown, POLICY)["b"] == 2 * 25 + TURN_S


def test_an_engine_that_can_sleep_may_be_put_to_sleep_and_stopped_in_its_turn() -> None:
    sleeper = cold("a", sleeps=(SleepView(1, sleep_s=1, wake_s=1, asleep_bytes=0, host_bytes=0),))
    assert wait_bounds_s(seen(device(), sleeper), POLICY) == {"a": 25 + TURN_S + 2 * 50}


def test_a_model_over_several_devices_shares_each_of_them() -> None:
    wide = cold("a", 7, spans={2: 4 * GIB})
    bounds = wait_bounds_s(seen(device(0), device(1), wide, cold("b")), POLICY)
    assert bounds == {"a": 2 * 25 + 2 * TURN_S, "b": 2 * 25 + 2 * TURN_S}


def test_what_cannot_be_loaded_is_waited_for_by_nobody_else() -> None:
    bounds = wait_bounds_s(seen(device(), cold("a"), cold("b", blocked="no runtime")), POLICY)
    assert bounds["a"] == 25 + TURN_S
