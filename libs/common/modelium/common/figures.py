"""The values inside messages that measure and decide: figures of models, and decisions about them.

Pure and frozen, like `records.py`; `events.py` puts them into messages, `modelium.core` reasons
about them.
"""

from enum import StrEnum
from typing import Final

from pydantic import Field

from modelium.common.descriptor import PlannedSettings, RuntimeKind
from modelium.common.frozen import Frozen
from modelium.common.records import DeviceKind, ModelName, ModelState

LEASE_S: Final = 5.0
"""How long a gateway may be silent before its requests in flight count no more."""
FOREVER_S: Final = -1.0
"""As a `keep_alive_s`: never unloaded for being idle."""


class GatewayModelStats(Frozen):
    """One gateway's figures for one model since that gateway started, and as of now."""

    model: ModelName
    requests: int = Field(ge=0, description="ended since the gateway started")
    failures: int = Field(ge=0, description="of these")
    in_flight: int = Field(ge=0, description="sent to an engine, not ended")
    waiting: int = Field(ge=0)
    oldest_wait_s: float = Field(ge=0)
    idle_s: float | None = Field(ge=0, description="since the last request ended; null: never one")
    latency_p50_s: float | None = Field(default=None, ge=0)
    latency_p99_s: float | None = Field(default=None, ge=0)
    routed_generations: tuple[int, ...] = Field(description="where new requests may go")
    in_flight_generations: dict[int, int] = Field(
        default={}, description="generation to how many requests it serves"
    )
    keep_alive_s: float | None = Field(
        default=None,
        ge=FOREVER_S,
        description="how long a client last wanted it kept when idle; -1: for ever",
    )
    keep_alive_age_s: float = Field(default=0, ge=0, description="since that was said")
    keep_alive_by: str = Field(default="", description="that client's organisation")
    organizations_idle_s: dict[str, float] = Field(
        default={}, description="the two that used it last: since their last request ended"
    )


class ModelFigures(Frozen):
    """One model over all gateways, as the brain and the rules see it."""

    model: ModelName
    state: ModelState
    pinned: bool
    rate_per_s: float = Field(ge=0, description="requests, over the last tick interval")
    demand_per_s: float = Field(
        default=0.0, ge=0, description="requests over about a minute, newer ones counting more"
    )
    idle_s: float | None = Field(description="null: not requested since the system started")
    in_flight: int = Field(ge=0)
    waiting: int = Field(ge=0)
    oldest_wait_s: float = Field(ge=0)
    latency_p50_s: float | None = None
    loaded_for_s: float | None = Field(default=None, ge=0)
    reload_s: float | None = Field(default=None, ge=0)
    next_use_s: float | None = Field(
        default=None, ge=0, description="until it is expected to be used again; null: not known"
    )
    soon_chance: float = Field(
        default=0,
        ge=0,
        le=1,
        description="that it is used again by about the end of a load begun now, by its own "
        "pauses or because `soon_after` has begun; 0: not known, or it may not be loaded",
    )
    soon_after: ModelName | None = Field(
        default=None,
        description="the model that has just begun to be used, after which this one often begins, "
        "where that says more than its own pauses",
    )
    keep_alive_s: float | None = Field(
        default=None, description="asked for by a client, instead of the settings; -1: for ever"
    )
    device_ids: tuple[str, ...] = ()
    held_bytes: int = Field(ge=0, description="of each device")
    needed_bytes: int = Field(ge=0, description="of one device, to be loaded")
    can_sleep: bool = Field(default=False, description="whether its engine can be put to sleep")
    wait_bound_s: float = Field(
        default=0, ge=0, description="who has waited longer for it to be loaded is refused"
    )


class DeviceFigures(Frozen):
    """One device in a tick."""

    device_id: str
    total_bytes: int = Field(ge=0)
    free_bytes: int = Field(ge=0, description="min(measured, total - ledger)")


class DecisionSource(StrEnum):
    """Who thought of it."""

    LLM = "llm"
    RULES = "rules"


class DecidedAction(StrEnum):
    """What should become of a model; `queue` says why it has to wait."""

    KEEP = "keep"
    LOAD = "load"
    EVICT = "evict"
    SLEEP = "sleep"
    WAKE = "wake"
    QUEUE = "queue"


class Decision(Frozen):
    """One model's part of a decision."""

    model: ModelName
    action: DecidedAction
    reason: str
    confidence: float = Field(default=1.0, ge=0, le=1)
    dropped_by: str | None = Field(default=None, description="the rule that forbids it")
    refused: bool = Field(
        default=False, description="queued, but nobody should wait: it cannot be, or takes too long"
    )
    wait_bound_s: float | None = Field(
        default=None, ge=0, description="of one that is queued: nobody waits for it longer"
    )
    device_ids: tuple[str, ...] = Field(default=(), description="where it is loaded, or waits")
    victims: tuple[str, ...] = Field(default=(), description="models that give way for it there")


class DeploymentPlan(Frozen):
    """How a newly analysed model should be served."""

    model: ModelName
    runtime: RuntimeKind
    needed_bytes: int = Field(ge=0, description="of one device")
    confidence: float = Field(ge=0, le=1)
    reasoning: str
    device: DeviceKind | None = Field(
        default=None, description="where it is best served; told, not followed; null: anywhere"
    )
    settings: PlannedSettings = Field(
        default_factory=PlannedSettings, description="of its engine's command line"
    )
    dropped_by: str | None = Field(default=None, description="the rule for which nobody follows it")
