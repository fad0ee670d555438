"""All settings of Modelium: `modelium.yaml`, overridden by `MODELIUM_<SECTION>__<KEY>`.

Precedence: environment, then the file, then the defaults below. The file is the first of
`--config`, `$MODELIUM_CONFIG`, `./modelium.yaml`, `$XDG_CONFIG_HOME/modelium/modelium.yaml`,
`/etc/modelium/modelium.yaml`. Every field has a unit in its name or type, and a sentence.
`load_settings.py` reads them; nothing else reads the environment.
"""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from modelium.common.records import AGENT_ID_PATTERN
from modelium.common.settings_base import GIB, MIB, Section
from modelium.common.settings_engines import HostMode, RayServe, Vllm
from modelium.common.settings_gateway import Gateway
from modelium.common.settings_policies import Policies
from modelium.common.settings_security import SandboxPolicy, Security

__all__ = [
    "GIB",
    "MIB",
    "Gateway",
    "HostMode",
    "Policies",
    "RayServe",
    "SandboxPolicy",
    "Section",
    "Security",
    "Vllm",
]


class Organization(Section):
    """Who runs this system."""

    id: str = Field(default="default", min_length=1, description="Id that usage is counted under.")
    name: str = Field(default="", description="Name for people.")


class Mode(StrEnum):
    """How decisions are made."""

    INTELLIGENT = "intelligent"
    SIMPLE = "simple"


class ModelDiscovery(Section):
    """Where models come from."""

    watch_directories: tuple[Path, ...] = Field(
        default=(Path("models"),), min_length=1, description="Folders in which models are dropped."
    )
    scan_interval_seconds: PositiveFloat = Field(
        default=5.0, description="Seconds between full scans; file events are seen at once."
    )
    file_events: bool = Field(
        default=True,
        description="Whether the kernel's file events wake the watcher. It scans all the same.",
    )
    settle_seconds: NonNegativeFloat = Field(
        default=0.5, description="Seconds a model's files must be unchanged before it is read."
    )
    incomplete_after_seconds: NonNegativeFloat = Field(
        default=10.0,
        description="Seconds without any change after which an incomplete model is rejected.",
    )
    doubtful_after_seconds: NonNegativeFloat = Field(
        default=60.0,
        description="Seconds without any change after which files that look preallocated (zeros "
        "or holes where tensors begin or end), or that somebody has open for writing, are taken "
        "as they are.",
    )
    allow_links_outside: bool = Field(
        default=False,
        description="Whether links in a watch directory may lead out of it. Engines in containers "
        "see what is mounted only.",
    )
    supported_extensions: tuple[str, ...] = Field(
        default=(".safetensors", ".gguf", ".onnx", ".pt2", ".pt", ".pth"),
        description="Endings of single files that make a model; folders are known by their files.",
    )


class Orchestration(Section):
    """Placement and its rhythm."""

    mode: Mode = Field(default=Mode.INTELLIGENT, description="intelligent or simple (no brain).")
    decision_interval_seconds: PositiveFloat = Field(
        default=10.0, description="Seconds between two ticks."
    )
    lease_seconds: float = Field(
        default=4.0,
        ge=1,
        le=60,
        description="Seconds of silence after which another orchestrator or registry takes over; "
        "shorter, and one on a busy machine may lose it by mistake.",
    )
    model_discovery: ModelDiscovery = ModelDiscovery()
    policies: Policies = Policies()


class Gpu(Section):
    """Which devices an agent owns."""

    enabled: bool = Field(default=True, description="Whether GPUs are looked for by NVML.")
    devices: tuple[str, ...] = Field(
        default=(), description="UUIDs of the GPUs to own; empty means all that NVML shows."
    )
    memory_fraction: float = Field(
        default=0.9, gt=0, le=1, description="Share of a GPU's memory that engines may use."
    )


class LauncherKind(StrEnum):
    """How engines are started."""

    PROCESS = "process"
    DOCKER = "docker"


class RuntimeAgent(Section):
    """One agent."""

    id: str = Field(default="local", pattern=AGENT_ID_PATTERN, description="Name of this agent.")
    launcher: LauncherKind = Field(default=LauncherKind.PROCESS, description="process or docker.")
    cpu_slots: PositiveInt = Field(
        default=1, description="Pools of memory and cores where there is no GPU."
    )
    cpu_slot_memory_bytes: PositiveInt | None = Field(
        default=None, description="Budget of a CPU slot; empty: 70 % of the memory, shared out."
    )
    cpu_slot_cores: PositiveFloat | None = Field(
        default=None, description="Cores of a CPU slot; empty: all of them, shared out."
    )
    heartbeat_seconds: PositiveFloat = Field(default=1.0, description="Seconds between heartbeats.")
    keep_engines_on_exit: bool = Field(
        default=False, description="Whether engines outlive the agent's clean shutdown."
    )
    engine_network: str = Field(
        default="modelium-engines", description="Docker network of engines and gateways."
    )
    engine_user: str = Field(
        default="2000:0",
        pattern=r"^\d+:\d+$",
        description="User and group id of engines in containers.",
    )
    engine_pids_limit: PositiveInt = Field(
        default=1024, description="Processes and threads an engine's container may have."
    )
    memory_free_timeout_seconds: PositiveFloat = Field(
        default=10.0, description="Seconds to wait for a stopped engine's memory to be free."
    )
    sleep_memory_bytes: NonNegativeInt | None = Field(
        default=None,
        description="Bytes of host memory for sleeping engines; empty: half of what is free at the"
        " start, as loads need it too; 0: none sleep.",
    )
    exit_drain_seconds: NonNegativeFloat = Field(
        default=2.0, description="Seconds requests get to end when the agent itself is stopped."
    )
    state_directory: Path = Field(
        default=Path(".modelium/agent"), description="Where engines' records and logs are kept."
    )


class Nats(Section):
    """The bus."""

    url: str = Field(default="nats://127.0.0.1:4222", description="Address of the NATS server.")


class Redis(Section):
    """The store."""

    url: str = Field(default="redis://127.0.0.1:6379/0", description="Address of the Redis server.")


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class Logging(Section):
    """Logs of the services."""

    level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Lowest level shown."
    )
    format: LogFormat = Field(
        default=LogFormat.AUTO, description="json, console, or auto: console on a terminal."
    )


class Health(Section):
    """Where the services without an API of their own answer /healthz, /readyz and /metrics."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    watcher_port: int = Field(default=9101, ge=0, le=65535, description="Port of the watcher.")
    registry_port: int = Field(default=9102, ge=0, le=65535, description="Port of the registry.")
    brain_port: int = Field(default=9103, ge=0, le=65535, description="Port of the brain.")
    orchestrator_port: int = Field(
        default=9104, ge=0, le=65535, description="Port of the orchestrator."
    )
    runtime_agent_port: int = Field(default=9105, ge=0, le=65535, description="Port of the agent.")
