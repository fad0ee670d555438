"""What would happen if a model were asked for, and that it is what then happens."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from modelium.common.figures import DecidedAction, Decision
from modelium.common.plans import Plan, PlanOutcome
from modelium.common.records import ModelState
from modelium.core.actions import Load, Queue, Unload
from modelium.core.decide import decide
from modelium.core.plan import plan
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.places import (
    GIB,
    POLICY,
    SLOT,
    asleep,
    cold,
    device,
    loaded,
    loading,
    seen,
    unloading,
    waiting,
)
from tests.unit.core.strategies import advice_lists, snapshots

PINNED = loaded("p", pinned=True)
SITUATIONS: list[tuple[str, tuple[ModelView | DeviceView, ...], str, str]] = [
    ("it is loaded", (device(free=1), loaded("a")), "route", "it is loaded"),
    ("its load has begun", (device(free=1), loading("a")), "join", "its load has begun"),
    (
        "it fits",
        (device(), cold("a")),
        "load",
        "needs 3.0 GiB, CPU slot 0 has 4.0 GiB free",
    ),
    (
        "an idle engine gives way",
        (device(free=1), loaded("b"), cold("a")),
        "displace",
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; waiting for b to drain",
    ),
    (
        "an engine goes anyway",
        (device(free=1), unloading("b"), cold("a")),
        "wait",
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; waiting for b to drain",
    ),
    (
        "engines in use do not give way for a new request",
        (device(free=1), loaded("b", in_flight=2), cold("a")),
        "wait",
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; b is in use",
    ),
    (
        "it fits nowhere beside what is pinned",
        (device(free=1), PINNED, cold("a")),
        "refuse",
        "needs 3.0 GiB, but CPU slot 0 has 1.0 GiB beside p, which is always loaded",
    ),
    (
        "it fits, once the device is no longer busy",
        (device(total=9, free=6), loading("b"), cold("a")),
        "wait",
        "waiting until b is started or stopped on CPU slot 0",
    ),
    (
        "who waits already is served first",
        (device(), cold("a"), waiting("b")),
        "wait",
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; waiting until b is started or stopped on "
        "CPU slot 0",
    ),
    (
        "its own engine still stops",
        (device(free=1), unloading("a")),
        "wait",
        "its engine is being stopped, and then loaded again",
    ),
    (
        "its engine has to go first",
        (device(free=1), loaded("a", stale_files=True)),
        "wait",
        "its engine is stopped first: its files have changed",
    ),
    (
        "its last load failed",
        (device(), cold("a", state=ModelState.ERROR, retry_in_s=7.0)),
        "wait",
        "its last load failed; the next try is in 7 s",
    ),
    (
        "its files are still looked at",
        (device(), cold("a", state=ModelState.ANALYZING, blocked="its files are being analysed")),
        "wait",
        "its files are being analysed",
    ),
    (
        "its files cannot be served",
        (device(), cold("a", state=ModelState.REJECTED, blocked="its files cannot be served")),
        "refuse",
        "its files cannot be served",
    ),
    (
        "it fits no device there is",
        (device(), cold("a", 5)),
        "refuse",
        "needs 5.0 GiB, but the largest device, CPU slot 0, has 4.0 GiB",
    ),
    (
        "it sleeps",
        (device(free=3), asleep("a")),
        "wake",
        "needs 2.5 GiB, CPU slot 0 has 3.0 GiB free",
    ),
    ("there is no device", (cold("a"),), "wait", "no runtime agent with a device is alive"),
]


def planned(*things: ModelView | DeviceView, **given: Any) -> Plan:
    found = plan(seen(*things), "a", POLICY, **given)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("things", "outcome", "reason"), [s[1:] for s in SITUATIONS], ids=[s[0] for s in SITUATIONS]
)
def test_what_would_happen(
    things: tuple[ModelView | DeviceView, ...], outcome: str, reason: str
) -> None:
    found = planned(*things)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_every_outcome_is_met() -> None:
    assert {outcome for _, _, outcome, _ in SITUATIONS} == set(PlanOutcome)


def test_no_such_model_has_no_plan() -> None:
    assert plan(seen(device(), cold("b")), "a", POLICY) is None


def test_a_load_says_where_and_how_long_it_took_the_last_time() -> None:
    found = planned(device(0, free=3), device(1, total=8), cold("a", load_s=12.5))
    assert (found.device_ids, found.device_name) == (("cpu-local-1",), "CPU slot 1")
    assert (found.needed_bytes, found.free_bytes) == (3 * GIB, 8 * GIB)
    assert found.eta_s == 12.5


def test_nobody_knows_how_long_what_was_never_loaded_takes() -> None:
    assert planned(device(), cold("a")).eta_s is None
    assert planned(device(free=1), PINNED, cold("a", load_s=9)).eta_s is None
    assert planned(device(free=1), loaded("a")).eta_s == 0


def test_every_victim_is_named_with_its_bytes_and_why() -> None:
    found = planned(
        device(total=4, free=0), unloading("b", 1), loaded("c", 3, idle_s=50), cold("a", 4)
    )
    assert found.outcome is PlanOutcome.DISPLACE
    assert [(v.model, v.held_bytes, v.reason) for v in found.victims] == [
        ("b", 1 * GIB, "is being stopped already"),
        ("c", 3 * GIB, "has not been used for 50 s"),
    ]


def test_a_victim_in_use_ends_its_requests_first() -> None:
    [victim] = planned(device(free=1), loaded("b", in_flight=1), cold("a")).victims
    assert (victim.in_flight, victim.reason) == (1, "has 1 in flight, which end first")


def test_advice_counts_as_it_does_when_it_is_decided() -> None:
    things = (device(total=6, free=0), loaded("b", idle_s=40), loaded("c"), cold("a"))
    keep = Decision(model="b", action=DecidedAction.KEEP, reason="soon")
    assert [v.model for v in planned(*things).victims] == ["b"]
    assert [v.model for v in planned(*things, advice=(keep,)).victims] == ["c"]


def test_one_that_waits_already_keeps_its_age() -> None:
    things = (device(free=1), loaded("b", in_flight=3))
    assert planned(*things, waiting("a", since_s=14)).outcome is PlanOutcome.WAIT
    assert planned(*things, waiting("a", since_s=15)).outcome is PlanOutcome.DISPLACE


def test_a_plan_names_the_device_it_is_about() -> None:
    assert planned(device(free=1), PINNED, cold("a")).device_ids == (SLOT,)


@settings(max_examples=300, deadline=None)
@given(snapshots(), advice_lists)
def test_the_plan_is_what_is_decided_once_the_request_is_there(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    for model in snapshot.models:
        found = plan(snapshot, model.model, POLICY, advice=advice)
        assert found is not None
        actions = decide(with_one_more(snapshot, model), advice, POLICY)
        stopped = {action.model for action in actions if isinstance(action, Unload)}
        match next((action for action in actions if action.model == model.model), None):
            case Load(is_copy=True):
                assert found.outcome is PlanOutcome.ROUTE
            case Load(device_ids=device_ids):
                assert (found.outcome, found.device_ids) == (PlanOutcome.LOAD, device_ids)
            case Queue(reason=reason, victims=victims):
                assert found.outcome in QUEUED
                assert found.reason == reason
                assert tuple(victim.model for victim in found.victims) == victims
                assert found.outcome is PlanOutcome.DISPLACE or not stopped & set(victims)
            case Unload():
                assert found.outcome is PlanOutcome.WAIT
            case None:
                assert found.outcome not in (PlanOutcome.LOAD, PlanOutcome.DISPLACE)
                assert not found.victims


QUEUED = (PlanOutcome.DISPLACE, PlanOutcome.WAIT, PlanOutcome.REFUSE)


def with_one_more(snapshot: Snapshot, model: ModelView) -> Snapshot:
    """As the next snapshot would be, had a request for the model just come."""
    since_s = 0.0 if model.wanted_for_s is None else model.wanted_for_s
    asked = replace(model, waiting=model.waiting + 1, wanted_for_s=since_s)
    others = [m for m in snapshot.models if m is not model]
    ordered = sorted([*others, asked], key=lambda m: m.model)
    return replace(snapshot, models=tuple(ordered))
