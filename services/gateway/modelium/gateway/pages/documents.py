"""The forms of what the cold routes answer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from modelium.common.descriptor import Descriptor, RuntimeKind, Task
from modelium.common.records import AgentRecord, InstanceState, ModelState


class CommandAccepted(BaseModel):
    """An operator's wish was published."""

    model: str
    state: ModelState
    status_url: str


class ModelInfo(BaseModel):
    """What Modelium knows of a model."""

    state: ModelState
    reason: str = Field(description="why it does not serve, for people")
    eta_s: int | None = Field(description="seconds until it may serve; 0: it does; null: never so")
    wait_bound_s: int | None = Field(
        description="seconds a request waits for it at most, then it is refused; null: not known"
    )
    generation: int
    runtime: RuntimeKind | None
    context_length: int | None = Field(description="tokens")
    task: Task | None
    capabilities: tuple[str, ...] = Field(description="the routes that it answers")


class ModelCard(BaseModel):
    """A model, loaded or not, as OpenAI lists it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "modelium"
    modelium: ModelInfo


class ModelCards(BaseModel):
    """All models that the caller may use."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class AnthropicCard(BaseModel):
    """A model, loaded or not, as Anthropic lists it."""

    type: Literal["model"] = "model"
    id: str
    display_name: str
    created_at: datetime
    lifecycle: Literal["active"] = "active"
    max_input_tokens: int | None
    modelium: ModelInfo


class AnthropicCards(BaseModel):
    """One page of the models that the caller may use."""

    data: list[AnthropicCard]
    has_more: bool
    first_id: str | None
    last_id: str | None


class EnginePage(BaseModel):
    """One of a model's engines."""

    instance_id: str
    state: InstanceState
    agent_id: str
    device_ids: tuple[str, ...]
    in_flight: int = Field(description="requests that this gateway has there")


class ModelPage(BaseModel):
    """A model for people; what is of one engine is of its best."""

    model: str
    state: ModelState
    reason: str
    eta_s: int | None
    runtime: RuntimeKind | None
    runtime_reason: str = Field(description="why this runtime serves it")
    context_length: int | None
    task: Task | None
    capabilities: tuple[str, ...]
    aliases: tuple[str, ...] = Field(description="further names it answers to")
    about: Descriptor | None = Field(description="what its files say; null: not known")
    pinned: bool = Field(description="it is always loaded, and gives way to nobody")
    size_bytes: int
    resident_bytes: int
    agent_id: str | None
    device_ids: tuple[str, ...]
    engines: list[EnginePage] = Field(description="the best first; none: it is not in memory")
    generation: int
    load_s: float | None
    failures: int
    retry_at: datetime | None
    loaded_at: datetime | None
    in_flight: int
    waiting: int
    oldest_wait_s: float


class ModelPages(BaseModel):
    """All models for people."""

    models: list[ModelPage]


class GatewayStatus(BaseModel):
    """This gateway."""

    id: str
    active_requests: int
    waiting: dict[str, int]
    nats_connected: bool


class Status(BaseModel):
    """Everything at a glance; degraded: the store does not answer."""

    status: Literal["ok", "degraded"]
    gateway: GatewayStatus
    models_by_state: dict[ModelState, int]
    models: list[ModelPage]
    always_loaded_missing: list[str] = Field(
        description="in orchestration.policies.always_loaded, but no model has this name"
    )
    agents: list[AgentRecord] | None


class Health(BaseModel):
    """The gateway is alive."""

    status: Literal["ok"] = "ok"


class Index(BaseModel):
    """Where to look."""

    name: str
    version: str
    documentation: str
    openapi: str
    models: str
    status: str
    ui: str


class OipServer(BaseModel):
    """The server, by the Open Inference Protocol."""

    name: str
    version: str
    extensions: list[str]


class OipLive(BaseModel):
    """Whether the gateway is alive."""

    live: bool


class OipReady(BaseModel):
    """Whether requests are let in."""

    ready: bool


class OipTensor(BaseModel):
    """One input or output."""

    name: str
    datatype: str = Field(description="empty: the files say neither it nor the shape")
    shape: list[int] = Field(description="-1: any length")


class OipModel(BaseModel):
    """A model; no tensors: its files do not say which it takes, its engine may know."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[OipTensor]
    outputs: list[OipTensor]
    modelium: ModelInfo


class OipModelReady(BaseModel):
    """Whether a request would be answered without a load; asking loads nothing."""

    name: str
    ready: bool
    modelium: ModelInfo
