"""Which advice is dropped, and by which rule."""

import pytest

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import ModelState
from modelium.core.guard import guard
from modelium.core.snapshot import ModelView
from tests.unit.core.places import POLICY, cold, device, loaded, seen, waiting

KEEP, LOAD, EVICT, SLEEP = (
    DecidedAction.KEEP,
    DecidedAction.LOAD,
    DecidedAction.EVICT,
    DecidedAction.SLEEP,
)


@pytest.mark.parametrize(
    ("model", "action", "rule"),
    [
        (loaded("b"), EVICT, None),
        (loaded("b"), KEEP, None),
        (loaded("b", pinned=True), EVICT, "pinned"),
        (loaded("b", in_flight=1), EVICT, "in_use"),
        (loaded("b", waiting=1), EVICT, "wanted"),
        (loaded("b", loaded_for_s=4), EVICT, "residency"),
        (cold("b"), EVICT, "not_loaded"),
        (loaded("b"), SLEEP, "no_sleep_tier"),
        (cold("b"), LOAD, None),
        (waiting("b"), LOAD, None),
        (loaded("b"), LOAD, "single_flight"),
        (cold("b", blocked="rejected"), LOAD, "not_servable"),
        (cold("b", state=ModelState.ERROR, retry_in_s=1), LOAD, "backing_off"),
        (cold("b", loaded_ahead_s=9.0), LOAD, "nobody_came"),
        (cold("b", loaded_ahead_s=9.0, pinned=True), LOAD, None),
        (cold("b", 5), LOAD, "ledger"),
        (cold("other"), LOAD, "unknown_model"),
    ],
)
def test_the_rule_that_forbids_it_is_named(
    model: ModelView, action: DecidedAction, rule: str | None
) -> None:
    decision = Decision(model="b", action=action, reason="because")
    (guarded,) = guard([decision], seen(device(), model), POLICY)
    assert guarded.dropped_by == rule


def test_the_second_word_about_a_model_is_dropped() -> None:
    advice = [Decision(model="b", action=a, reason="because") for a in (KEEP, EVICT)]
    assert [d.dropped_by for d in guard(advice, seen(device(), loaded("b")), POLICY)] == [
        None,
        "contradiction",
    ]


def test_what_was_dropped_before_stays_dropped() -> None:
    decision = Decision(model="b", action=EVICT, reason="because", dropped_by="pinned")
    (guarded,) = guard([decision], seen(device(), loaded("b")), POLICY)
    assert guarded.dropped_by == "pinned"
