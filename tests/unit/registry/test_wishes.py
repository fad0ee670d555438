"""What an operator's wish makes of a record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelium.common.descriptor import Overrides
from modelium.common.records import LIVE_STATES, ModelRecord, ModelState
from modelium.common.testing import a_descriptor, a_model_record
from modelium.common.wishes import has_failed, is_pinned
from modelium.registry.news import is_news
from modelium.registry.projection import apply

from . import facts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
S = ModelState


def at(state: ModelState, **changes: Any) -> ModelRecord:
    make = facts.a_loaded_record if state in LIVE_STATES else a_model_record
    return make(**({"state": state} | changes))


@pytest.mark.parametrize("state", ModelState)
def test_a_pin_changes_nothing_else_in_any_state(state: ModelState) -> None:
    record = at(state, discovered_at=NOW)
    pinned = apply(record, facts.pinned(), NOW)
    assert pinned == record.model_copy(update={"pinned": True})
    assert not is_news(pinned, facts.pinned())
    assert apply(pinned, facts.pinned(False), NOW) == record


def test_a_pin_is_kept_when_files_change_and_ends_with_the_model() -> None:
    record = at(S.UNLOADED, pinned=True)
    changed = apply(record, facts.discovered(fingerprint="f2"), NOW)
    assert changed and changed.pinned
    assert apply(record, facts.removed(), NOW) is None


def test_a_model_that_is_not_known_is_not_pinned() -> None:
    assert not is_news(None, facts.pinned())


FAILED: list[tuple[ModelRecord, ModelState, str]] = [
    (
        at(S.ERROR, failures=4, out_of_memory=3, retry_at=LATER, reason="it crashed"),
        S.UNLOADED,
        "an operator asked to try it again",
    ),
    (
        at(S.ERROR, files_analysed=False),
        S.DISCOVERED,
        "waiting for its files to be analysed",
    ),
    (
        at(S.LOADED, failed_fingerprint="f2", fingerprint="f2", reason="its new files failed"),
        S.LOADED,
        "its files have changed; it serves the old ones until the new are loaded",
    ),
    (at(S.LOADED, copy_retry_at=LATER, reason=""), S.LOADED, ""),
    (at(S.SLEEPING, sleepless="it hung", reason="asleep"), S.SLEEPING, "asleep"),
]


@pytest.mark.parametrize(("record", "state", "reason"), FAILED)
def test_a_retry_forgets_whatever_failed(
    record: ModelRecord, state: ModelState, reason: str
) -> None:
    assert is_news(record, facts.retried())
    after = apply(record, facts.retried(), NOW)
    assert after is not None
    assert (after.state, after.reason) == (state, reason)
    assert (after.failures, after.out_of_memory, after.retry_at) == (0, 0, None)
    assert not has_failed(after)


@pytest.mark.parametrize("state", [S.UNLOADED, S.LOADED, S.DISCOVERED, S.REJECTED])
def test_a_retry_of_what_has_not_failed_is_no_news(state: ModelState) -> None:
    assert not is_news(at(state), facts.retried())


def test_what_lies_beside_its_files_pins_a_model_too() -> None:
    named = a_descriptor(overrides=Overrides(pin=True))
    assert is_pinned(a_model_record(descriptor=named))
    assert is_pinned(a_model_record(pinned=True))
    assert not is_pinned(a_model_record())
