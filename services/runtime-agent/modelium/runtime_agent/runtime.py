"""The port through which an agent speaks to a kind of engine; `runtimes/` implements it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from modelium.common.descriptor import Task
from modelium.common.errors import ModeliumError
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.launcher import EngineRecord, LaunchSpec, Site


class Health(Enum):
    """What an engine's health check answers."""

    STARTING = auto()
    """Nobody listens yet."""
    SERVING = auto()
    DEAD = auto()
    """It says itself that it cannot go on."""
    SILENT = auto()
    """No answer in time, or none that makes sense."""


@dataclass(frozen=True)
class Limits:
    """How long the kind of engine is given, in seconds."""

    stall_timeout_s: float
    load_timeout_s: float
    shutdown_timeout_s: float
    silence_timeout_s: float
    section: str = "vllm"
    """Of the settings that these come from."""

    @property
    def unmoved_s(self) -> float:
        """How long an engine may get on with none of its requests before it is asked to prove
        itself, and how long it then has: both together are the time of its silence."""
        return self.silence_timeout_s / 2


@dataclass(frozen=True)
class Work:
    """What an engine says of its requests."""

    requests: int
    """That it runs or keeps waiting; 0 if it does not say."""
    mark: str
    """Changes whenever it gets on with them, and only then; empty if it does not say."""


class NotServing(ModeliumError):
    """An engine did not do what it was asked to; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CannotSleep(NotServing):
    """It was not started as an engine that can sleep; nothing is wrong with it."""


@dataclass(frozen=True)
class Proof:
    """What an engine said when it was proved."""

    engine: str
    """Its kind and version, `vllm-0.32.0`; the kind alone if it does not tell."""
    answer: str = ""
    """To the test request: the same, token for token, as long as the engine computes rightly.

    Empty where answers cannot be compared so.
    """


class Runtime(Protocol):
    """How one kind of engine is run."""

    limits: Limits
    last_line_says_why: bool
    """Whether an engine that cannot start ends its log with the reason, for people."""

    def spec(
        self, command: LoadModel, record: EngineRecord, site: Site, devices: Sequence[Traits]
    ) -> LaunchSpec:
        """How to start an engine.

        Raises:
            LaunchFailed: it cannot be started here, whatever the launcher does.
        """

    def can_sleep(self, kind: DeviceKind, task: Task) -> bool:
        """Whether engines for this task, on this kind of device, are started able to sleep."""

    async def health(self, endpoint: str) -> Health:
        """Answers within a few seconds, and never raises."""

    async def work(self, endpoint: str) -> Work:
        """Answers within a few seconds, and never raises."""

    async def prove(
        self, endpoint: str, record: EngineRecord, *, within_s: float | None = None
    ) -> Proof:
        """See that it serves this model and answers one tiny request.

        `within_s`: how long it may take; else as long as a load may stand still.

        Raises:
            NotServing: it does not.
        """

    async def sleep(self, endpoint: str, level: int) -> None:
        """Put it to sleep; returns when it says that it sleeps.

        Level 1 keeps its weights in host memory, level 2 discards them.

        Raises:
            NotServing: it does not; CannotSleep: it was not started so that it could.
        """

    async def wake(self, endpoint: str, level: int) -> None:
        """Wake it from this level; returns when it says that it is awake. Raises NotServing."""
