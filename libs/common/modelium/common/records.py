"""The values that services share: what a model, an instance, a device and an agent are.

Pure and frozen. `events.py` carries them over NATS, `store.py` keeps the `Record` kinds in Redis.
Bytes are plain integers, times are UTC.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType

from pydantic import Field, StringConstraints

from modelium.common.descriptor import Descriptor, PlannedSettings
from modelium.common.frozen import Frozen

MODEL_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
AGENT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME_PATTERN)]
"""The served name, which clients put into `model`; derived from the folder's name."""
AgentId = Annotated[str, StringConstraints(pattern=AGENT_ID_PATTERN)]
"""Also one token of a NATS subject, hence without dots."""
InstanceId = NewType("InstanceId", str)
"""`<model>.<generation>`: one load attempt of one model; unique for ever."""


def instance_id(model: str, generation: int) -> InstanceId:
    """The one name of a load attempt, the same wherever it is derived."""
    return InstanceId(f"{model}.{generation}")


def model_of_instance(instance: str) -> str:
    """The model of an `instance_id`."""
    return instance.rpartition(".")[0]


class ModelState(StrEnum):
    """See `lifecycle.py` for what leads from one to the next."""

    DISCOVERED = "discovered"
    ANALYZING = "analyzing"
    UNLOADED = "unloaded"
    LOADING = "loading"
    LOADED = "loaded"
    SLEEPING = "sleeping"
    UNLOADING = "unloading"
    ERROR = "error"
    REJECTED = "rejected"


LIVE_STATES = frozenset(
    {ModelState.LOADING, ModelState.LOADED, ModelState.SLEEPING, ModelState.UNLOADING}
)
"""States in which an engine of the model may hold memory."""


class DeviceKind(StrEnum):
    """Where an engine computes."""

    CUDA = "cuda"
    CPU = "cpu"


class FailureKind(StrEnum):
    """Why an engine is gone although nobody asked for it."""

    START_FAILED = "start_failed"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Its agent has gone silent; the engine may still run."""
    NO_ROOM = "no_room"
    """The load was not begun: other engines of its agent hold the memory."""
    SLEEP_FAILED = "sleep_failed"
    """It did not fall asleep, or did not wake, as it should: it is not put to sleep any more."""


class Record(Frozen):
    """What the store keeps; `version` is 0 until the first save and grows by one with each."""

    version: int = Field(default=0, ge=0)
    updated_at: datetime | None = None


class InstanceEndpoint(Frozen):
    """A loaded engine that requests may be sent to."""

    instance_id: str
    generation: int = Field(ge=0)
    url: str = Field(description="base URL")
    device_count: int = Field(default=1, ge=1)


class EngineMemory(Frozen):
    """What decides how much of a device an engine takes, beside what it was measured to hold."""

    engine: str = Field(description="its kind and version: vllm-0.32.0; without one: not known")
    device_kind: DeviceKind
    weight_bytes: int = Field(default=0, ge=0, description="as it holds them")
    kv_cache_bytes: int = Field(default=0, ge=0, description="that it was given")
    content_fingerprint: str = Field(default="", description="of the model; empty: not known")


class InstanceState(StrEnum):
    """An engine's own life, as its agent sees it."""

    LOADING = "loading"
    LOADED = "loaded"
    SLEEPING = "sleeping"
    UNLOADING = "unloading"


class Instance(Frozen):
    """One engine as its agent reports it."""

    instance_id: str
    model: ModelName
    agent_id: AgentId
    device_ids: tuple[str, ...]
    generation: int = Field(ge=1)
    state: InstanceState
    endpoint: str | None = None
    fingerprint: str = ""
    reserved_bytes: int = Field(default=0, ge=0)
    resident_bytes: int = Field(default=0, ge=0)
    load_s: float | None = None
    sleep_s: float | None = None
    wake_s: float | None = None
    sleep_level: int = Field(default=0, ge=0, le=2, description="0: awake")
    memory: EngineMemory | None = None


class Copy(Instance):
    """An engine that a model has beside its first; reported engines have no `loaded_at`."""

    loaded_at: datetime | None = None


class ModelRecord(Record):
    """All that is known of one model; written by the registry only.

    `generation` is the newest load attempt that was announced, `ended_generation` the newest that
    is known to be over; a runtime event of a generation up to `ended_generation` is stale. Where
    it has several engines, all this and `state` are of the best one, and the others are `copies`.
    """

    model: ModelName
    state: ModelState
    reason: str = Field(default="", description="why it does not serve, for people")
    path: str
    fingerprint: str = ""
    size_bytes: int = Field(default=0, ge=0, description="of all its files")
    files_analysed: bool = Field(
        default=True, description="without, descriptor is of the files that were there before"
    )
    files_rejected: bool = Field(default=False, description="as they are now they cannot be served")
    failed_fingerprint: str = Field(
        default="", description="of files that failed to load beside an engine of older ones"
    )
    discovered_at: datetime | None = Field(default=None, description="when it was first seen")
    descriptor: Descriptor | None = None
    planned: PlannedSettings | None = Field(
        default=None, description="what the language model that leads has planned for its engine"
    )
    refused: bool = Field(
        default=False, description="nobody should wait: it fits no device, or its bound is over"
    )
    wait_bound_s: float | None = Field(
        default=None, ge=0, description="nobody waits longer for it; null: nobody has waited yet"
    )
    removed: bool = Field(default=False, description="its files are gone; it ends with its engine")
    pinned: bool = Field(default=False, description="by an operator: it is always loaded")
    generation: int = Field(default=0, ge=0)
    ended_generation: int = Field(default=0, ge=0)
    instance_id: str | None = None
    agent_id: str | None = None
    device_ids: tuple[str, ...] = ()
    endpoint: str | None = Field(default=None, description="base URL of its engine while loaded")
    endpoints: tuple[InstanceEndpoint, ...] = Field(
        default=(), description="all engines that new requests may go to; without draining ones"
    )
    loaded_fingerprint: str | None = Field(default=None, description="of the files it serves")
    reserved_bytes: int = Field(default=0, ge=0, description="of each device, by the ledger")
    resident_bytes: int = Field(default=0, ge=0, description="measured on each device")
    load_s: float | None = Field(default=None, ge=0, description="how long its last load took")
    wake_s: float | None = Field(default=None, ge=0, description="how long its last wake took")
    sleep_s: float | None = Field(
        default=None, ge=0, description="how long it took to fall asleep, drained"
    )
    slept_at_level: int = Field(
        default=0, ge=0, le=2, description="at which sleep_s and wake_s were measured; 0: never"
    )
    sleep_level: int = Field(
        default=0, ge=0, le=2, description="of its engine while it sleeps or is woken; 0: awake"
    )
    asleep_bytes: int = Field(
        default=0,
        ge=0,
        description="what its engine held of each device when it last slept; 0: not known",
    )
    sleepless: str = Field(
        default="", description="why its engine is not put to sleep any more; empty: it may be"
    )
    failures: int = Field(
        default=0, ge=0, description="in a row; back to 0 once an engine has served for 5 minutes"
    )
    out_of_memory: int = Field(
        default=0, ge=0, description="how many of these, in a row, for want of memory"
    )
    retry_at: datetime | None = Field(default=None, description="no load before this")
    loaded_at: datetime | None = None
    copies: tuple[Copy, ...] = Field(default=(), description="its engines beside this one")
    copies_generation: int = Field(
        default=0, ge=0, description="the newest engine that was announced beside another"
    )
    copy_retry_at: datetime | None = Field(
        default=None, description="no engine beside others before this: one has failed"
    )

    @property
    def newest_generation(self) -> int:
        """Of all engines that were announced."""
        return max(self.generation, self.copies_generation)

    @property
    def has_new_files(self) -> bool:
        """Whether its engine serves other files than are there now."""
        return self.state in LIVE_STATES and self.are_older(self.loaded_fingerprint)

    def are_older(self, fingerprint: str | None) -> bool:
        """Whether such files are no longer there; one that is not known says nothing."""
        return bool(fingerprint and self.fingerprint) and fingerprint != self.fingerprint

    def copy_of(self, generation: int) -> Copy | None:
        """That load attempt, where it is beside another."""
        return next((copy for copy in self.copies if copy.generation == generation), None)


def memory_id(fingerprint: str, engine: str, kind: DeviceKind) -> str:
    """The one name of what was measured of these files by this engine on such a device."""
    return f"{fingerprint}:{engine}:{kind.value}"


class MemoryRecord(Record):
    """What engines of the same files held on one kind of device; written by the registry only.

    All bytes are of one device and without the key-value cache, whose size is a setting.
    """

    fingerprint: str
    engine: str
    device_kind: DeviceKind
    loads: int = Field(default=0, ge=0)
    last_instance_id: str = Field(default="", description="the last that was counted")
    last_bytes: int = Field(default=0, ge=0)
    highest_bytes: int = Field(default=0, ge=0, description="no load is given less")
    outgrown_bytes: int = Field(
        default=0, ge=0, description="the most that one had that ran out of memory"
    )
    estimated_bytes: int = Field(default=0, ge=0, description="what the first load was given")
    weight_bytes: int = Field(default=0, ge=0, description="as the engine holds them")

    @property
    def memory_id(self) -> str:
        return memory_id(self.fingerprint, self.engine, self.device_kind)


class InstanceRecord(Record, Instance):
    """An engine as the store keeps it; written by the registry only."""


class Device(Frozen):
    """One device as its agent measures it."""

    device_id: str
    """NVML's `GPU-…`/`MIG-…` UUID, or `cpu-<agent>-<n>`; unique in the whole system."""
    kind: DeviceKind
    name: str = Field(description="for example NVIDIA H200, or CPU slot 0")
    total_bytes: int = Field(ge=0, description="what engines may use of it: its budget")
    free_bytes: int = Field(ge=0, description="by the driver; for a CPU slot by the kernel")
    whole_bytes: int = Field(default=0, ge=0, description="all it has; 0: no more than its budget")
    used_bytes: int | None = Field(default=None, ge=0, description="of all; null: not measured")
    utilization: float | None = Field(default=None, ge=0, le=1, description="null: not measured")


class AgentRecord(Record):
    """An agent with its devices; expires unless its heartbeat renews it."""

    agent_id: AgentId
    launcher: str = Field(description="process or docker")
    devices: tuple[Device, ...] = ()
    instances: tuple[str, ...] = ()
