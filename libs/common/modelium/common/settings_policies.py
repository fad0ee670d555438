"""`orchestration.policies`: the settings that can be changed while everything runs."""

from pydantic import Field, NonNegativeFloat

from modelium.common.records import ModelName
from modelium.common.settings_base import Section


class Policies(Section):
    """What is kept in memory; `modelium config apply` changes it while running."""

    evict_after_idle_seconds: NonNegativeFloat = Field(
        default=1800.0,
        description="Seconds without a request before a model yields to one waiting; 0: never. "
        "Long, as a fixed timer alone makes more loads than giving way when room is needed.",
    )
    evict_idle_always: bool = Field(
        default=False,
        description="Whether it goes then though nobody waits: frees memory, costs loads later.",
    )
    evict_when_memory_above_percent: float = Field(
        default=100.0,
        gt=0,
        le=100,
        description="Percent of a device's budget above which idle models are unloaded; lower "
        "keeps room free for the next load, and costs loads where nobody would have waited.",
    )
    always_loaded: tuple[ModelName, ...] = Field(
        default=(), description="Models that are loaded at once and never unloaded."
    )
    min_residency_seconds: NonNegativeFloat = Field(
        default=5.0,
        description="Seconds a loaded model serves before it can be a victim: its load is not "
        "wasted. Short, as others wait as much longer; one in use stays at least as long as its "
        "load takes.",
    )
    displace_after_seconds: NonNegativeFloat = Field(
        default=25.0,
        description="Seconds, times the models that wait, before a waiter displaces one in use "
        "at any cost: bounds the longest wait. Of those tried on recorded demand, 25 gave the "
        "shortest waits; about one load.",
    )
    deepest_sleep: int = Field(
        default=2,
        ge=0,
        le=2,
        description="Deepest level at which idle engines sleep where their platform can: 1 keeps "
        "weights in host memory, 2 drops them and reads them again; 0: none sleeps. 2, as the "
        "cheaper of both and of a load is taken each time.",
    )
    drain_deadline_seconds: NonNegativeFloat = Field(
        default=120.0,
        description="Seconds requests in flight get to end before an unload: long enough for a "
        "long answer, and the most that one without an end costs those that wait.",
    )
