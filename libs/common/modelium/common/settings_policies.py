"""`orchestration.policies`: the settings that can be changed while everything runs."""

from pydantic import Field, NonNegativeFloat

from modelium.common.records import ModelName
from modelium.common.settings_base import Section


class Policies(Section):
    """What is kept in memory; `modelium config apply` changes it while running."""

    evict_after_idle_seconds: NonNegativeFloat = Field(
        default=1800.0,
        description="Seconds without a request before a model yields to one waiting, used or not "
        "before; 0: never. Half an hour outlasts a pause between two uses, not the end of a day's.",
    )
    evict_idle_always: bool = Field(
        default=False,
        description="Whether it goes then though nobody waits: frees memory, costs loads later.",
    )
    evict_when_memory_above_percent: float = Field(
        default=100.0,
        gt=0,
        le=100,
        description="Percent of a device's budget above which idle models are unloaded; 100, as "
        "memory that nobody waits for saves nothing by being empty.",
    )
    always_loaded: tuple[ModelName, ...] = Field(
        default=(), description="Models that are loaded at once and never unloaded."
    )
    min_residency_seconds: NonNegativeFloat = Field(
        default=5.0,
        description="Seconds a loaded model serves before it can be a victim, so that a load is "
        "not thrown away unused; short, as all others wait as much longer.",
    )
    displace_after_seconds: NonNegativeFloat = Field(
        default=25.0,
        description="Seconds, times the models that wait, before a waiter displaces one in use at "
        "any cost. Lower: shorter longest waits, more loads; 25 is about one load.",
    )
    deepest_sleep: int = Field(
        default=2,
        ge=0,
        le=2,
        description="Deepest level at which idle engines sleep where their platform can: 1 keeps "
        "weights in host memory, 2 drops them and reads them again; 0: none sleeps. 2, as even "
        "that wake is faster than a load.",
    )
    drain_deadline_seconds: NonNegativeFloat = Field(
        default=120.0,
        description="Seconds requests in flight get to end before an unload; long enough for most "
        "answers, and what one that never ends can cost those that wait.",
    )
