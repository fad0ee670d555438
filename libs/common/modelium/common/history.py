"""What is kept of the past for `modelium explain`: decisions, and requests that waited for a load.

Pure and frozen; `store.History` keeps them, each for a while and not too many.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from modelium.common.errors import ModeliumError
from modelium.common.figures import Decision, DecisionSource, DeploymentPlan
from modelium.common.frozen import Frozen
from modelium.common.records import ModelName, ModelState


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and for how long."""

    decisions: int = 5_000
    decisions_per_model: int = 100
    decisions_for: timedelta = timedelta(days=7)
    """As long as the stream keeps the message."""
    requests: int = 10_000
    requests_for: timedelta = timedelta(days=1)


BOUNDS: Final = Bounds()


class Came(Frozen):
    """What came of a decision about one model."""

    model: ModelName
    outcome: str = Field(description="one sentence for people, with the figures")


class DecisionRecord(Frozen):
    """A `decision.made` as it was said, and what came of it."""

    decision_id: str = Field(min_length=1, description="the message's id")
    made_at: datetime
    origin: str = Field(description="brain or orchestrator")
    source: DecisionSource
    inputs_digest: str
    decisions: tuple[Decision, ...] = ()
    plan: DeploymentPlan | None = Field(default=None, description="how a new model is served")
    shadow: bool = Field(default=False, description="said for comparison: nobody followed it")
    came: tuple[Came, ...] = Field(default=(), description="of each model, once it is known")

    def models(self) -> tuple[str, ...]:
        """All that it is about, those that give way included."""
        about = [name for each in self.decisions for name in (each.model, *each.victims)]
        return tuple(dict.fromkeys([*about, *([self.plan.model] if self.plan else [])]))

    def with_outcome(self, model: str, outcome: str) -> "DecisionRecord":
        """The same with what came of it for one of its models; in the place of what was known."""
        others = [came for came in self.came if came.model != model]
        return self.model_copy(update={"came": (*others, Came(model=model, outcome=outcome))})


@dataclass(frozen=True, slots=True)
class DecisionsPage:
    """Some decisions, the newest first; `next_before`: the id that older ones are before."""

    records: tuple[DecisionRecord, ...]
    next_before: str | None


class NoSuchDecision(ModeliumError):
    """None of this id is kept, so none is known to be older."""

    def __init__(self, decision_id: str) -> None:
        super().__init__(f"no decision {decision_id!r} is kept; begin again with the newest")


class RequestRecord(Frozen):
    """A request that found its model not loaded, and waited."""

    request_id: str = Field(min_length=1, description="its x-request-id")
    model: ModelName
    gateway_id: str
    found: ModelState = Field(description="the model's state when it came")
    since: datetime = Field(description="when it began to wait")
    waited_s: float | None = Field(
        default=None, ge=0, description="null: it waits still, or its gateway was killed"
    )
    ended: str = Field(
        default="",
        description="how the wait ended: `served`, `left` by its client, or the code of its error",
    )

    def is_of(self, other: "RequestRecord") -> bool:
        """Whether both tell of the same wait: clients may give two requests one id."""
        own = (self.request_id, self.model, self.gateway_id, self.since)
        return own == (other.request_id, other.model, other.gateway_id, other.since)
