"""The forms of what is followed live."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.figures import DecisionSource
from modelium.common.records import DeviceKind, InstanceState, ModelState


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class LiveModel(_Row):
    """A model as it is now, its figures over all gateways; what is of one engine is of its best."""

    model: str
    state: ModelState
    reason: str = Field(description="why it does not serve, for people")
    eta_s: int | None = Field(
        description="seconds until it may serve; 0: it does; null: never so; while nobody waits "
        "told again only when it differs by a fifth"
    )
    runtime: RuntimeKind | None
    task: Task | None
    capabilities: tuple[str, ...] = Field(description="the routes that it answers")
    pinned: bool
    requests_per_second: float = Field(description="that ended, over the last ten seconds")
    p50_ms: float | None = Field(
        description="half of the last hundred took less; of the slowest gateway"
    )
    p99_ms: float | None
    in_flight: int
    waiting: int
    oldest_wait_s: float
    idle_s: float | None = Field(
        description="since the last request ended; goes on by itself: it is told again only when "
        "it has grown by a fifth"
    )
    size_bytes: int
    reserved_bytes: int = Field(description="of each device")
    resident_bytes: int = Field(description="measured on each device")
    agent_id: str | None
    device_ids: tuple[str, ...]
    loaded_at: datetime | None
    load_started_at: datetime | None = Field(description="of the load (or wake) under way")
    expected_load_s: float | None = Field(description="how long that takes, by the last one")
    failures: int
    retry_at: datetime | None
    generation: int
    copies: int = Field(description="engines beside the first")
    can_sleep: bool


class LiveEngine(_Row):
    """An engine on a device; those of models that are not shown are one, of the model ``."""

    instance_id: str
    model: str
    state: InstanceState
    reserved_bytes: int = Field(description="of this device")
    resident_bytes: int = Field(description="measured on this device")


class LiveDevice(_Row):
    """A device as its agent reports it once a second."""

    device_id: str
    agent_id: str
    name: str
    kind: DeviceKind
    total_bytes: int
    budget_bytes: int = Field(description="what engines may use of it")
    used_bytes: int = Field(description="by the driver, or as it was measured")
    utilization: float | None = Field(description="0 to 1; null: not known")
    reported_at: datetime = Field(
        description="told again with the next change, at least every 10 s"
    )
    engines: tuple[LiveEngine, ...]


class LiveGateway(_Row):
    """The gateway that tells all this; its figures are of all gateways, of models shown."""

    id: str
    active_requests: int
    requests_per_second: float
    waiting: int
    nats_connected: bool


class LiveAdvisor(_Row):
    """Who advises what to load, keep and evict."""

    leads: DecisionSource
    backend: str = Field(description="the language model; rules: there is none")
    since: datetime | None


class Regret(_Row):
    """Seconds of waiting that advice cost, for each disagreement; the rules' are what it is
    measured by.
    """

    time: datetime
    llm: float
    rules: float


class LiveSnapshot(BaseModel):
    """The event `snapshot`: everything, first of all."""

    time: datetime
    gateway: LiveGateway
    models: list[LiveModel]
    devices: list[LiveDevice]
    advisor: LiveAdvisor | None = Field(description="null: the brain does not run")


class LiveChange(LiveSnapshot):
    """The event `change`: of models and devices only those that have changed, whole."""

    gone_models: list[str]
    gone_devices: list[str]


class BusEvent(BaseModel):
    """A fact as it was said on the bus; keys without the scope admin see no paths and addresses."""

    seq: int = Field(description="its place in the stream of facts")
    time: datetime
    subject: str
    source: str
    model: str | None
    payload: object = Field(description="as docs/asyncapi.json says")


class BusEvents(BaseModel):
    """A page of facts, the newest first."""

    events: list[BusEvent]
    next_before: int | None = Field(description="where the next page begins; null: at its end")
