"""Every pair of state and event, allowed or not."""

from itertools import product

import pytest

from modelium.common import events as ev
from modelium.common.errors import IllegalTransition
from modelium.common.lifecycle import TRANSITIONS, next_state
from modelium.common.records import LIVE_STATES, ModelState

STATES = (None, *ModelState)
FACTS = tuple(
    kind
    for kind in ev.MESSAGES
    if issubclass(kind, ev.RuntimeEvent) or kind.subject.startswith("model.")
)


def test_the_table_has_a_row_for_every_state_and_only_known_events() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert {event for row in TRANSITIONS.values() for event in row} <= set(FACTS)


@pytest.mark.parametrize(("state", "event"), list(product(STATES, ev.MESSAGES)))
def test_a_pair_is_in_the_table_or_illegal(
    state: ModelState | None, event: type[ev.Message]
) -> None:
    row = TRANSITIONS[state]
    if event in row:
        assert next_state(state, event) == row[event]
        return
    with pytest.raises(IllegalTransition) as refused:
        next_state(state, event)
    assert (refused.value.state, refused.value.event) == (state, event.__name__)


def test_every_state_can_be_reached_from_nothing() -> None:
    reached: set[ModelState | None] = {None}
    found = set(reached)
    while found:
        found = {after for state in found for after in TRANSITIONS[state].values()} - reached
        reached |= found
    assert reached == set(STATES)


@pytest.mark.parametrize("state", ModelState)
def test_removed_files_end_a_model_at_once_or_with_its_engine(state: ModelState) -> None:
    after = next_state(state, ev.ModelRemoved)
    assert after == (state if state in LIVE_STATES else None)


@pytest.mark.parametrize("state", sorted(LIVE_STATES))
def test_an_engine_can_fail_in_every_state_that_has_one(state: ModelState) -> None:
    assert next_state(state, ev.RuntimeFailed) is ModelState.ERROR
