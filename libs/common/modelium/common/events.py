"""Every message that travels over NATS, one frozen class each.

Facts are named in the past tense and commands in the imperative; the subject says the same words
(`subjects.py` adds the agent to a command's). Payloads are plain JSON of these classes. Fields that
a sender does not know are ignored; `message_id` and `occurred_at` may be left out by hand-written
messages, then the bus fills in an id that is the same on every redelivery.
"""

from typing import Literal

from pydantic import Field

from modelium.common.advice import AdvisorChanged as AdvisorChanged
from modelium.common.advice import BrainAsked as BrainAsked
from modelium.common.advice import DecisionJudged as DecisionJudged
from modelium.common.advice import DecisionMade as DecisionMade
from modelium.common.advice import MetricsTick as MetricsTick
from modelium.common.descriptor import Descriptor, PlannedSettings
from modelium.common.message import Message as Message
from modelium.common.message import Question as Question
from modelium.common.records import (
    AgentId,
    Device,
    EngineMemory,
    FailureKind,
    Instance,
    ModelName,
    ModelRecord,
    ModelState,
)
from modelium.common.reports import EngineLogAsked as EngineLogAsked
from modelium.common.reports import GatewayStats as GatewayStats
from modelium.common.reports import KeyChanged as KeyChanged
from modelium.common.reports import MemoryMeasured as MemoryMeasured
from modelium.common.reports import OrchestratorHeartbeat as OrchestratorHeartbeat
from modelium.common.reports import PlanAsked as PlanAsked
from modelium.common.reports import PoliciesAsked as PoliciesAsked
from modelium.common.reports import PoliciesChanged as PoliciesChanged
from modelium.common.reports import RequestCancelAsked as RequestCancelAsked
from modelium.common.reports import RequestsAsked as RequestsAsked
from modelium.common.reports import SleepAsked as SleepAsked
from modelium.common.wishes import ModelPinRequested as ModelPinRequested
from modelium.common.wishes import ModelRequested as ModelRequested
from modelium.common.wishes import ModelRetryRequested as ModelRetryRequested
from modelium.common.wishes import ModelSleepRequested as ModelSleepRequested
from modelium.common.wishes import ModelUnloadRequested as ModelUnloadRequested
from modelium.common.wishes import Wish as Wish


class ModelDiscovered(Message):
    """A model's files are there and no longer change. Another system need only give `path`."""

    subject = "model.discovered"

    path: str = Field(min_length=1, description="absolute path of the model's folder or file")
    model: ModelName | None = Field(default=None, description="left out: the folder's name")
    fingerprint: str = Field(default="", description="changes when the files change")
    size_bytes: int = Field(default=0, ge=0)
    name_taken_by: str = Field(default="", description="path that has its name: it is rejected")


class ModelAnalyzing(Message):
    """The watcher has begun to read a discovered model's files."""

    subject = "model.analyzing"

    model: ModelName
    path: str
    fingerprint: str
    size_bytes: int = Field(default=0, ge=0)


class ModelAnalyzed(Message):
    """The files make a model that a runtime can serve."""

    subject = "model.analyzed"

    model: ModelName
    path: str
    fingerprint: str
    size_bytes: int = Field(ge=0)
    descriptor: Descriptor


class ModelRejected(Message):
    """The files cannot be served; they are looked at again only when they change."""

    subject = "model.rejected"

    model: ModelName
    path: str
    fingerprint: str = ""
    reason: str
    descriptor: Descriptor | None = Field(default=None, description="of the files, if known")


class ModelRemoved(Message):
    """The model's files are gone."""

    subject = "model.removed"

    model: ModelName
    path: str


class ModelStateChanged(Message):
    """The registry has saved a new version of a model's record (or announces it again)."""

    subject = "model.state_changed"

    model: ModelName
    previous: ModelState | None
    record: ModelRecord | None = Field(description="null: the model is forgotten")


class RuntimeEvent(Message):
    """What all facts about an engine have in common."""

    model: ModelName
    instance_id: str
    agent_id: AgentId
    device_ids: tuple[str, ...]
    generation: int = Field(ge=1)


class RuntimeLoading(RuntimeEvent):
    """The agent has begun to start (or wake) the engine."""

    subject = "runtime.loading"

    reserved_bytes: int = Field(ge=0, description="of each device")


class RuntimeLoaded(RuntimeEvent):
    """The engine is healthy and has answered its canary; also said again after re-adoption."""

    subject = "runtime.loaded"

    endpoint: str = Field(description="base URL that gateways can reach")
    fingerprint: str = ""
    load_s: float | None = Field(default=None, ge=0)
    wake_s: float | None = Field(default=None, ge=0, description="of its last wake")
    reserved_bytes: int = Field(ge=0)
    resident_bytes: int = Field(ge=0, description="measured on each device; 0: not known")
    memory: EngineMemory | None = None


class RuntimeSleeping(RuntimeEvent):
    """The engine sleeps, and its device memory was measured free."""

    subject = "runtime.sleeping"

    sleep_level: Literal[1, 2] = Field(
        default=1, description="1: its weights are in host memory; 2: they are discarded"
    )
    resident_bytes: int = Field(ge=0, description="what it still holds of each device")
    fingerprint: str = ""
    load_s: float | None = Field(default=None, ge=0)
    sleep_s: float | None = Field(default=None, ge=0, description="how long that took, drained")
    wake_s: float | None = Field(default=None, ge=0, description="of its last wake")
    reserved_bytes: int = Field(default=0, ge=0)


class RuntimeUnloading(RuntimeEvent):
    """The agent drains the engine and will stop it; gateways route nothing more to it."""

    subject = "runtime.unloading"

    reason: str = ""


class RuntimeUnloaded(RuntimeEvent):
    """The engine is stopped as asked and its memory was measured free."""

    subject = "runtime.unloaded"

    reason: str = ""


class RuntimeFailed(RuntimeEvent):
    """The engine did not start, or ended without being asked to (whatever its exit code)."""

    subject = "runtime.failed"

    kind: FailureKind
    reason: str = Field(description="one sentence for people")
    log_tail: tuple[str, ...] = Field(default=(), description="the engine's last lines")
    fingerprint: str = ""
    reserved_bytes: int = Field(default=0, ge=0)
    memory: EngineMemory | None = None


class AgentHeartbeat(Message):
    """An agent, its devices and its engines as they are now."""

    subject = "agent.heartbeat"
    stored = False

    agent_id: AgentId
    launcher: str
    devices: tuple[Device, ...]
    instances: tuple[Instance, ...]
    sleep_memory_bytes: int = Field(
        default=0,
        ge=0,
        description="host memory that its sleeping engines may take; 0: they cannot sleep",
    )


class Command(Message):
    """What all commands have in common; one that names an ended generation changes nothing."""

    agent_id: AgentId
    model: ModelName
    instance_id: str
    generation: int = Field(ge=1)
    epoch: int | None = Field(
        default=None, ge=1, description="of the sender's lease; left out: not asked about"
    )


class LoadModel(Command):
    """Start an engine for a model on these devices, within this memory."""

    subject = "command.{agent_id}.load"

    device_ids: tuple[str, ...] = Field(min_length=1)
    path: str
    fingerprint: str
    descriptor: Descriptor
    reserve_bytes: int = Field(gt=0, description="of each device, all included")
    weight_bytes: int = Field(default=0, ge=0, description="part of reserve_bytes")
    kv_cache_bytes: int = Field(ge=0, description="part of reserve_bytes")
    context_length: int = Field(ge=0, description="tokens; 0: the model's own")
    planned: PlannedSettings | None = Field(
        default=None, description="what a deployment plan adds to its command line"
    )
    is_copy: bool = Field(
        default=False, description="the model's other engines go on; without: older ones are ended"
    )


class UnloadModel(Command):
    """Drain the engine, stop it, and see its memory freed."""

    subject = "command.{agent_id}.unload"

    reason: str
    drain_deadline_s: float = Field(ge=0, description="after this, requests in flight are cut off")


class SleepModel(Command):
    """Drain the engine and put it to sleep."""

    subject = "command.{agent_id}.sleep"

    level: Literal[1, 2] = Field(default=1, description="1: weights go to host memory; 2: dropped")
    drain_deadline_s: float = Field(ge=0)


class WakeModel(Command):
    """Wake a sleeping engine; it is loaded once its canary has answered."""

    subject = "command.{agent_id}.wake"


def _leaves(kind: type[Message]) -> tuple[type[Message], ...]:
    """The classes below `kind` that name a subject, in the order they are written here."""
    below = tuple(leaf for child in kind.__subclasses__() for leaf in _leaves(child))
    return below or (kind,)


MESSAGES: tuple[type[Message], ...] = _leaves(Message)
"""Every kind of message; the AsyncAPI document is made from this."""
