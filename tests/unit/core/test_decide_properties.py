"""The rules hold whatever the snapshot says, and each check fails once its rule is switched off."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from modelium.common.figures import Decision
from modelium.common.records import ModelState
from modelium.core.actions import Load, Queue
from modelium.core.decide import decide
from modelium.core.snapshot import Snapshot
from tests.unit.core.places import POLICY, asleep, beside, device, loaded, seen, sleepy, waiting
from tests.unit.core.rulebook import broken
from tests.unit.core.strategies import advice_lists, snapshots


@settings(max_examples=400, deadline=None)
@given(snapshots(), advice_lists)
def test_no_rule_is_broken_by_any_snapshot_and_any_advice(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    assert broken(snapshot, decide(snapshot, advice, POLICY)) == []


@settings(max_examples=200, deadline=None)
@given(snapshots(), advice_lists)
def test_the_same_snapshot_gives_the_same_answer(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    assert decide(snapshot, advice, POLICY) == decide(snapshot, advice, POLICY)


@settings(max_examples=300, deadline=None)
@given(snapshots())
def test_everybody_who_waits_and_is_not_served_is_told_why(snapshot: Snapshot) -> None:
    actions = decide(snapshot, (), POLICY)
    answered = {action.model for action in actions if isinstance(action, Load | Queue)}
    for model in snapshot.models:
        startable = model.state in (ModelState.UNLOADED, ModelState.ERROR) and not model.retry_in_s
        if model.wanted_for_s is not None and startable:
            assert model.model in answered


# What each rule is for: the same snapshot, with the fact that the rule looks at taken away.
FREE, SHORT = device(total=9), device(free=1)
BLIND: list[tuple[str, Snapshot, Snapshot]] = [
    ("ledger", seen(device(free=1), waiting("a")), seen(FREE, waiting("a"))),
    (
        "pinned",
        seen(SHORT, loaded("b", pinned=True), waiting("a")),
        seen(SHORT, loaded("b"), waiting("a")),
    ),
    (
        "single_flight",
        seen(FREE, loaded("a", waiting=1, wanted_for_s=1)),
        seen(FREE, waiting("a")),
    ),
    (
        "busy_device",
        seen(replace(FREE, busy=True), waiting("a")),
        seen(FREE, waiting("a")),
    ),
    (
        "residency",
        seen(SHORT, loaded("b", loaded_for_s=1), waiting("a")),
        seen(SHORT, loaded("b"), waiting("a")),
    ),
    (
        "host_memory",
        beside(seen(SHORT, sleepy("b"), waiting("a")), 0),
        beside(seen(SHORT, sleepy("b"), waiting("a")), 8),
    ),
    (
        "sleeps_if_it_can",
        beside(seen(SHORT, loaded("b"), waiting("a")), 8),
        beside(seen(SHORT, sleepy("b"), waiting("a")), 8),
    ),
    (
        "wakes_what_sleeps",
        seen(FREE, loaded("a", waiting=1, wanted_for_s=1)),
        seen(FREE, asleep("a", waiting=1, wanted_for_s=1)),
    ),
    (
        "loads_what_can_be_loaded",
        seen(FREE, waiting("a", blocked="no runtime")),
        seen(FREE, waiting("a")),
    ),
]


@pytest.mark.parametrize(("rule", "truth", "blinded"), BLIND, ids=[b[0] for b in BLIND])
def test_properties_have_teeth(rule: str, truth: Snapshot, blinded: Snapshot) -> None:
    assert rule in broken(truth, decide(blinded, (), POLICY))
