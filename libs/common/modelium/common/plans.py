"""What would happen if a model were asked for now: the answer to `plan.asked`.

Pure and frozen. `modelium.core.plan` makes it of what `decide` answers, the gateway shows it.
"""

from enum import StrEnum

from pydantic import Field

from modelium.common.frozen import Frozen
from modelium.common.records import ModelName, ModelState


class PlanOutcome(StrEnum):
    """What becomes of one more request."""

    ROUTE = "route"
    """The model is loaded."""
    JOIN = "join"
    """Its load has begun already."""
    LOAD = "load"
    """It fits, and its load begins."""
    WAKE = "wake"
    """Its engine sleeps, and there is room to wake it."""
    DISPLACE = "displace"
    """Others give way for it: they are drained, then it is loaded."""
    WAIT = "wait"
    """It is queued, and nobody gives way for it now."""
    REFUSE = "refuse"
    """Waiting cannot help."""


class Victim(Frozen):
    """A model that gives way."""

    model: ModelName
    held_bytes: int = Field(ge=0, description="of each of its devices")
    in_flight: int = Field(ge=0, description="requests that end first, or are cut at the deadline")
    reason: str = Field(description="why this one")


class Plan(Frozen):
    """What would happen, by the same function that decides what does happen."""

    model: ModelName
    state: ModelState = Field(description="its state now")
    outcome: PlanOutcome
    reason: str = Field(description="one sentence for people")
    device_ids: tuple[str, ...] = Field(
        default=(), description="where it serves, or will by this plan; none: not known"
    )
    device_name: str = Field(
        default="", description="of the first of these; of all where several engines serve"
    )
    needed_bytes: int = Field(default=0, ge=0, description="of each device; 0: not known")
    free_bytes: int = Field(default=0, ge=0, description="of the first device, as it is now")
    victims: tuple[Victim, ...] = ()
    eta_s: float | None = Field(
        default=None,
        ge=0,
        description="how long its load takes, as learned, without what it waits for before that; "
        "0: it serves; null: not known",
    )


class PlanAnswer(Frozen):
    """The orchestrator's answer."""

    plan: Plan | None
    problem: str = Field(default="", description="why there is none")


class SleepAnswer(Frozen):
    """Whether a model's engine can be put to sleep now."""

    obstacle: str = Field(default="", description="why it cannot; empty: it can")
    problem: str = Field(default="", description="why that is not known")
