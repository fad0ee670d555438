"""What a fleet is made of: models, the devices and agents they run on, and engines in truth."""

from dataclasses import dataclass, field

from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.snapshot import SleepView

GIB = 1 << 30
POLICY = Policy(
    min_residency_s=4, displace_after_s=3, unknown_load_s=4, drain_deadline_s=4, stop_s=2
)


class Broken(AssertionError):
    """A rule did not hold."""

    def __init__(self, rule: str, what: object) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


@dataclass
class Engine:
    """What an agent runs; times are the fleet's seconds."""

    model: str
    devices: tuple[str, ...]
    size: int
    """Of each of its devices."""
    ready_s: int
    files: int = 0
    """Those of its model that it serves: how often they had been replaced."""
    state: ModelState = ModelState.LOADING
    loaded_s: int | None = None
    drained_by_s: int = 0
    sleep: SleepView | None = None
    """How it sleeps, or was told to."""
    falls_asleep_s: int | None = None
    """When it sleeps, once it is drained."""
    ends_s: list[int] = field(default_factory=list)
    """When each of its requests ends."""

    @property
    def holds(self) -> int:
        """What it may have taken of each device."""
        return self.kept if self.state is ModelState.SLEEPING else self.size

    @property
    def kept(self) -> int:
        """What it keeps of each device when it sleeps."""
        return self.sleep.asleep_bytes if self.sleep else 0

    @property
    def resident(self) -> int:
        """What it has taken so far of what it may take at any time."""
        if self.state in (ModelState.LOADING, ModelState.SLEEPING):
            return self.kept
        return self.size // 2

    @property
    def host_bytes(self) -> int:
        """Of its agent's memory, from the order to sleep until it is awake."""
        return self.sleep.host_bytes if self.sleep else 0

    @property
    def changing(self) -> bool:
        """Whether it is being started, stopped, woken or put to sleep."""
        return self.state in (ModelState.LOADING, ModelState.UNLOADING)


@dataclass
class Model:
    """A model, and who waits for it since when."""

    size: int
    takes_s: int
    spans: bool = False
    """Whether two devices of one agent can hold it, a half and a quarter of a gibibyte each."""
    sleeps: tuple[SleepView, ...] = ()
    waits_s: list[int] = field(default_factory=list)
    last_s: int | None = None
    load_s: float | None = None
    retry_s: int = 0
    pinned: bool = False
    files: int = 0
    """How often they were replaced."""
    unload_asked: bool = False
    sleep_asked: bool = False
    keep_alive_s: float | None = None

    @property
    def parts(self) -> dict[int, int]:
        """As `ModelView.spans`."""
        return {2: self.size // 2 + GIB // 4} if self.spans else {}


@dataclass
class Place:
    """A device; `outside` is what others hold of it, `lie` what its driver adds to the truth."""

    total: int
    agent: str = "local"
    outside: int = 0
    lie: int = 0
