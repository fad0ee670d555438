"""Whose deployment plan is followed, and whose is only told."""

from typing import Any

import pytest

from modelium.common.descriptor import PlannedSettings, RuntimeKind, Task
from modelium.common.events import DecisionMade, ModelAnalyzed
from modelium.common.figures import DecisionSource, DeploymentPlan
from modelium.common.testing import FakeClock, a_descriptor, a_model_record
from modelium.core.digest import digest_of_descriptor
from modelium.registry.planning import after_plan
from modelium.registry.projection import apply

DESCRIPTOR = a_descriptor()
RECORD = a_model_record(descriptor=DESCRIPTOR)
SETTINGS = PlannedSettings(max_num_seqs=8, prefix_cache=False)
PLAN = DeploymentPlan(
    model="qwen",
    runtime=RuntimeKind.VLLM,
    needed_bytes=1,
    confidence=0.9,
    reasoning="r",
    settings=SETTINGS,
)


def said(plan: DeploymentPlan = PLAN, **changes: Any) -> DecisionMade:
    """By a language model that leads."""
    known: dict[str, Any] = {
        "origin": "brain",
        "source": DecisionSource.LLM,
        "inputs_digest": digest_of_descriptor(DESCRIPTOR),
        "plan": plan,
    }
    return DecisionMade(**known | changes)


def test_the_plan_of_one_that_leads_is_followed() -> None:
    after = after_plan(said(), RECORD)
    assert after is not None
    assert after == RECORD.model_copy(update={"planned": SETTINGS})


@pytest.mark.parametrize(
    "changes",
    [
        {"shadow": True},
        {"source": DecisionSource.RULES},
        {"inputs_digest": "of other files"},
        {"plan": PLAN.model_copy(update={"runtime": RuntimeKind.RAY_SERVE})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_other_is_not(changes: dict[str, Any]) -> None:
    assert after_plan(said(**changes), RECORD) is RECORD


def test_the_guard_is_asked_again_whatever_the_message_says() -> None:
    embedding = a_descriptor(task=Task.EMBEDDING)
    record = a_model_record(descriptor=embedding)
    assert after_plan(said(inputs_digest=digest_of_descriptor(embedding)), record) is record


def test_with_other_files_it_is_forgotten_and_with_the_same_it_is_kept() -> None:
    planned = RECORD.model_copy(update={"planned": SETTINGS})
    for descriptor, kept in ((DESCRIPTOR, SETTINGS), (a_descriptor(parameters=1), None)):
        event = ModelAnalyzed(
            model="qwen", path="/models/qwen", fingerprint="f9", size_bytes=1, descriptor=descriptor
        )
        after = apply(planned, event, FakeClock().now())
        assert after is not None
        assert after.planned == kept
