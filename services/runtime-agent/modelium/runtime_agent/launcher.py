"""The port through which engines are started, watched and found again.

`processes.py` and `containers.py` implement it; `tests/contract/test_launcher.py` is what both must
pass. What an engine's command line says is left to `runtime.py`, when to start or stop it to
`instance.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import Field

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.engine_log import EngineLog
from modelium.common.errors import ModeliumError
from modelium.common.events import LoadModel
from modelium.common.frozen import Frozen
from modelium.common.records import AgentId, DeviceKind, InstanceId, ModelName, instance_id
from modelium.common.settings import LauncherKind

LOGS: Final = "logs"
"""Folder, below the agent's own, of what engines have written."""


class EngineRecord(Frozen):
    """What an agent must know of an engine to take it over from its predecessor."""

    model: ModelName
    generation: int = Field(ge=1)
    agent_id: AgentId
    device_ids: tuple[str, ...]
    device_kind: DeviceKind
    runtime: RuntimeKind
    task: Task
    fingerprint: str = ""
    content_fingerprint: str = ""
    reserved_bytes: int = Field(ge=0)
    weight_bytes: int = Field(default=0, ge=0)
    kv_cache_bytes: int = Field(default=0, ge=0)
    can_sleep: bool = False
    """Whether it was started so that it can."""

    @property
    def instance_id(self) -> InstanceId:
        return instance_id(self.model, self.generation)


def record_of(command: LoadModel, kind: DeviceKind, *, can_sleep: bool = False) -> EngineRecord:
    """What is kept of the engine that `command` asks for."""
    return EngineRecord(
        model=command.model,
        generation=command.generation,
        agent_id=command.agent_id,
        device_ids=command.device_ids,
        device_kind=kind,
        runtime=command.descriptor.runtime,
        task=command.descriptor.task,
        fingerprint=command.fingerprint,
        content_fingerprint=command.descriptor.content_fingerprint,
        reserved_bytes=command.reserve_bytes,
        weight_bytes=command.weight_bytes,
        kv_cache_bytes=command.kv_cache_bytes,
        can_sleep=can_sleep,
    )


@dataclass(frozen=True)
class Site:
    """Where an engine is going to run, in the words of its command line."""

    kind: LauncherKind
    source_path: str
    """The model's folder as this agent sees it."""
    model_path: str
    """The same folder as the engine will see it."""
    host: str
    port: int


def base_mount(site: Site) -> str:
    """Where a container has the base model of an adapter."""
    return f"{site.model_path}.base"


@dataclass(frozen=True)
class LaunchSpec:
    """All that a launcher needs; limits of 0 are no limits, and a process has none."""

    record: EngineRecord
    site: Site
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    memory_bytes: int = 0
    shm_bytes: int = 0
    cores: float = 0.0
    beside: str = ""
    """A second folder that it reads, as this agent sees it: an adapter's base model."""


@dataclass(frozen=True)
class Status:
    """Whether an engine runs; the exit code is None also where nobody could read it."""

    running: bool
    exit_code: int | None = None
    oom_killed: bool = False


@dataclass(frozen=True)
class Usage:
    """What an engine, with all its processes, uses of the machine."""

    log_mark: str
    cpu_s: float
    resident_bytes: int


class LaunchFailed(ModeliumError):
    """The engine could not even be started; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Engine(Protocol):
    """One started engine; every call may be repeated, also after it has ended.

    Each may raise DependencyUnavailable: whoever runs the engine did not answer, or not sensibly.
    """

    @property
    def record(self) -> EngineRecord:
        """What it was started with."""

    @property
    def endpoint(self) -> str:
        """Base URL that this agent and the gateways can reach."""

    async def status(self) -> Status:
        """Cheap; asked several times a second."""

    async def usage(self) -> Usage:
        """Zeros once it has ended."""

    async def stop(self, grace_s: float) -> None:
        """Ask it to end (SIGTERM, once), wait up to `grace_s`, then `kill`."""

    async def kill(self) -> None:
        """End it and every process it has left behind, at once; returns when all are gone."""

    async def log_tail(self, lines: int) -> tuple[str, ...]:
        """Its last lines, also after it has ended; after `forget` see `Launcher.log`."""

    async def forget(self) -> None:
        """Remove what was kept for adoption; the engine must have ended."""


class Launcher(Protocol):
    """Starts engines and finds those of earlier agents with the same id."""

    def site(self, record: EngineRecord, path: str) -> Site:
        """Where an engine for the model at `path` would run."""

    async def start(self, spec: LaunchSpec) -> Engine:
        """Start the engine, or find the one already started for this instance.

        Raises:
            LaunchFailed: nothing runs.
            DependencyUnavailable: whoever runs engines did not answer.
        """

    async def adopt(self) -> list[Engine]:
        """All engines that were started and not forgotten, running or ended."""

    async def log(self, instance_id: str, after: str, lines: int) -> EngineLog | None:
        """What an engine has written, also one that was forgotten, as long as it is kept.

        The last `lines`, of those that came after the place that an earlier answer has marked.
        None: nothing is known of it. May raise DependencyUnavailable.
        """

    def readable_by_engine(self, mode: int, uid: int, gid: int) -> bool:
        """Whether an engine could read a file with these attributes."""
