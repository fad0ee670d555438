"""What the brain is told and says: the tick, the decisions, and how its advisors stand.

Pure and frozen; `events.py` names these messages among all others.
"""

from pydantic import Field

from modelium.common.figures import (
    DecidedAction,
    Decision,
    DecisionSource,
    DeploymentPlan,
    DeviceFigures,
    ModelFigures,
)
from modelium.common.frozen import Frozen
from modelium.common.message import Message, Question
from modelium.common.records import ModelName, Record


class MetricsTick(Message):
    """What the orchestrator gathered, once per decision interval."""

    subject = "metrics.tick"
    stored = False

    interval_s: float = Field(gt=0)
    models: tuple[ModelFigures, ...]
    devices: tuple[DeviceFigures, ...]


class DecisionMade(Message):
    """What the brain advises, or what the orchestrator decided by its own rules."""

    subject = "decision.made"

    origin: str = Field(description="brain or orchestrator")
    source: DecisionSource
    inputs_digest: str = Field(description="of the tick or descriptor it was made from")
    decisions: tuple[Decision, ...] = ()
    plan: DeploymentPlan | None = None
    shadow: bool = Field(
        default=False, description="said for comparison by whoever does not lead; nobody follows it"
    )
    advisor: str = Field(default="", description="who thought of it: rules, or backend:model")
    prompt: str = Field(default="", description="the version of what a language model was asked")
    took_s: float | None = Field(default=None, ge=0, description="how long a language model took")
    failure: str = Field(
        default="", description="why the language model that leads did not answer in time"
    )


class Standing(Frozen):
    """How a language model did beside the rules, where the two disagreed."""

    leader: DecisionSource = Field(
        default=DecisionSource.RULES, description="whose advice counts: llm or rules"
    )
    compared: int = Field(
        default=0, ge=0, description="disagreements that were judged since the leader changed"
    )
    regret_s: float = Field(
        default=0.0,
        description="seconds of waiting that the language model's advice cost more than the "
        "rules' for each disagreement, newer ones counting more; negative: it saved them",
    )
    promotions: int = Field(default=0, ge=0)
    demotions: int = Field(default=0, ge=0)


class AdvisorRecord(Record):
    """How one language model stands; written by the registry, read by the brain when it starts."""

    advisor: str = Field(min_length=1, description="backend:model")
    standing: Standing


class AdvisorChanged(Message):
    """The language model has earned the lead, or lost it to the rules."""

    subject = "decision.advisor_changed"

    advisor: str = Field(min_length=1, description="the language model, backend:model")
    standing: Standing
    reason: str = Field(description="one sentence for people, with the figures")


class DecisionJudged(Message):
    """What came of advice on which the language model and the rules did not agree."""

    subject = "decision.judged"

    decision_id: str = Field(min_length=1, description="the message id of the `decision.made`")
    model: ModelName
    source: DecisionSource
    action: DecidedAction = Field(description="that it advised; keep: it wanted no change")
    cost_s: float = Field(ge=0, description="seconds of waiting that it cost, or would have")
    outcome: str = Field(description="one sentence for people, with the figures")


class TuningStatus(Frozen):
    """How far the policies were fitted to the demand."""

    requests: int = Field(ge=0, description="of the recent demand, that can be replayed now")
    rounds: int = Field(default=0, ge=0, description="replays since the brain started")
    last: str = Field(default="", description="what came of the last one, for people")
    changed: str = Field(default="", description="why policies were changed last; empty: never")


class BrainStatus(Frozen):
    """The brain's answer to who leads and why."""

    backend: str = Field(description="rules, openai or local")
    advisor: str = Field(description="the language model, backend:model; rules: there is none")
    standing: Standing
    asked: int = Field(default=0, ge=0, description="how often the language model was asked")
    answered: int = Field(default=0, ge=0, description="of these, in time and as was asked for")
    undecided: int = Field(default=0, ge=0, description="disagreements that are not judged yet")
    last_failure: str = Field(default="", description="why it did not answer last; empty: it did")
    took_s: float | None = Field(default=None, ge=0, description="its last answer")
    tuning: TuningStatus | None = Field(default=None, description="null: it is switched off")


class BrainAsked(Question):
    """Who leads, the rules or a language model, and how did they do?"""

    subject = "brain.asked"
    asked_of = "brain"
    answered_with = BrainStatus
