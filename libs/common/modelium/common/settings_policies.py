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
    prewarm: bool = Field(
        default=False,
        description="Whether a model is loaded before it is asked for: shortly before one of its "
        "regular pauses is over, or when another has begun to be used that it often follows; where "
        "memory is free and nobody waits. For `evict_idle_always`; such a load is given up for "
        "who asks for another model meanwhile that needs its memory.",
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
    max_engines_per_model: int = Field(
        default=1,
        ge=1,
        description="Engines that a crowded model may have on different devices, where memory is "
        "free. 1, as free memory is what the next model loads into without a wait; more where a "
        "few models matter most. A model's own `replicas` may ask for fewer.",
    )
    copy_above_requests: int = Field(
        default=32,
        ge=1,
        description="Requests at an engine at a time, those that wait included, above which its "
        "model is crowded; so it is too where requests wait for room at its engines. 32, as up to "
        "about that many an engine on a GPU answers in one batch.",
    )
    copy_after_seconds: NonNegativeFloat = Field(
        default=15.0,
        description="Seconds a model is crowded without a break before it gets one more engine: "
        "longer than a burst, half of a usual load.",
    )
    copy_below_percent: float = Field(
        default=50.0,
        gt=0,
        lt=100,
        description="Percent of what they may have, and of what they were measured to serve, below "
        "which the engines left would be with one engine less: then a model is calm. Half, so that "
        "it is not crowded again at once.",
    )
    drop_copy_after_seconds: NonNegativeFloat = Field(
        default=300.0,
        description="Seconds a model is calm without a break before one of its engines goes: ten "
        "loads long, so that demand that comes in waves loads little.",
    )
    drain_deadline_seconds: NonNegativeFloat = Field(
        default=120.0,
        description="Seconds requests in flight get to end before an unload: long enough for a "
        "long answer, and the most that one without an end costs those that wait.",
    )
