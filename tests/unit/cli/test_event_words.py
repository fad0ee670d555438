"""Events in words for people, from the real documents."""

from datetime import UTC, datetime

import pytest

from modelium.cli.event_words import WORDS, words
from modelium.common.advice import DecisionMade
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import MESSAGES, Message, ModelRejected, ModelStateChanged
from modelium.common.figures import DecisionSource, DeploymentPlan
from modelium.common.records import ModelRecord, ModelState
from modelium.common.subjects import subject_for

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def said(message: Message) -> str:
    return words(message.subject, message.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("previous", "state", "reason", "text"),
    [
        (ModelState.LOADING, ModelState.LOADED, "", "loading -> loaded"),
        (ModelState.LOADED, ModelState.LOADED, "", "loaded"),
        (None, ModelState.REJECTED, "config.json is missing", "rejected: config.json is missing"),
    ],
)
def test_a_change_of_state_is_told_with_its_reason(
    previous: ModelState | None, state: ModelState, reason: str, text: str
) -> None:
    record = ModelRecord(model="qwen", path="/m", state=state, reason=reason, updated_at=NOW)
    message = ModelStateChanged(model="qwen", previous=previous, record=record)
    assert said(message) == text


def test_a_model_that_is_gone_is_forgotten() -> None:
    message = ModelStateChanged(model="qwen", previous=ModelState.UNLOADED, record=None)
    assert said(message) == "is forgotten"


def test_a_plan_is_a_decision_with_something_in_it() -> None:
    plan = DeploymentPlan(
        model="qwen", runtime=RuntimeKind.VLLM, needed_bytes=1, confidence=1, reasoning="a chat"
    )
    rules = DecisionSource.RULES
    message = DecisionMade(origin="brain", source=rules, inputs_digest="0", plan=plan)
    assert said(message) == "brain (rules): plan qwen, vllm"


def test_other_events_tell_what_is_short() -> None:
    message = ModelRejected(model="qwen", path="/m/qwen", fingerprint="f", reason="no weights")
    assert "path=/m/qwen reason=no weights" in said(message)
    assert "fingerprint" not in said(message)


def test_the_subjects_that_have_words_of_their_own_are_real() -> None:
    assert WORDS.keys() <= {subject_for(kind) for kind in MESSAGES}
