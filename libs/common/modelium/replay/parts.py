"""What a node is made of: models with their engines, devices, and how long things take. Pure."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from modelium.common.records import DeviceKind, ModelState
from modelium.core.habit import Habit, Rate
from modelium.replay.trace import Request

GB: Final = 1_000_000_000
DEVICE_BYTES: Final = 72 * GB
SIZES_BYTES: Final = tuple(gb * GB for gb in (3, 8, 18, 34, 46, 66))
SIZE_WEIGHTS: Final = (25, 25, 20, 15, 10, 5)
"""Small models are more common than large ones: 19 GB in the mean."""


@dataclass(frozen=True, slots=True)
class LoadTime:
    """How long a load takes."""

    name: str
    fixed_s: float
    bytes_per_s: float

    def seconds(self, size_bytes: int) -> float:
        """For a model of that size."""
        return self.fixed_s + size_bytes / self.bytes_per_s


RESTART: Final = LoadTime("restart", 25.0, 2 * GB)
SLEEP_LIKE: Final = LoadTime("sleep-like", 0.3, 20 * GB)


@dataclass(frozen=True, slots=True)
class Need:
    """What is known of one model."""

    size_bytes: int
    load_s: float | None = None
    """Measured; None: by its size."""


@dataclass(frozen=True, slots=True)
class Level:
    """One way to sleep."""

    number: int
    sleep: LoadTime
    wake: LoadTime
    in_host_memory: bool


AT_ONCE: Final = LoadTime("at once", 0.0, float("inf"))
IDEAL: Final = (Level(1, AT_ONCE, SLEEP_LIKE, in_host_memory=True),)
"""As in PERFORMANCE.md section 4: an engine is asleep at once."""
MEASURED: Final = (
    Level(1, LoadTime("", 0.3, 1.6 * GB), SLEEP_LIKE, in_host_memory=True),
    Level(2, LoadTime("", 0.3, float("inf")), LoadTime("", 0.3, 2.6 * GB), in_host_memory=False),
)
"""vLLM PR #48337, Qwen3-8B on an A100: to sleep 10.6 and 0.3 s, to wake 2.2 and 6.5 s."""
ASLEEP_BYTES: Final = 1 * GB
"""What an engine keeps of its device while it sleeps (0.1 to 1.5 GB were measured)."""


@dataclass(slots=True)
class Model:
    """A model and its engine."""

    name: str
    size_bytes: int
    load_s: float
    arrivals: list[float] = field(default_factory=list)
    """All of the trace: only the clairvoyant may look beyond `seen`."""
    state: ModelState = ModelState.UNLOADED
    device: int = -1
    in_flight: int = 0
    waiting: list[Request] = field(default_factory=list)
    seen: int = 0
    ended: int = 0
    used_at_s: float | None = None
    loaded_at_s: float = 0.0
    ahead_at_s: float | None = None
    """When it was loaded before anybody asked for it; None: it was not since its last use."""
    load_number: int = 0
    """Of the load under way among all that was to happen; another is given up."""
    loads: int = 0
    wakes: int = 0
    level: Level | None = None
    """At which it sleeps, or is to sleep once it serves nobody."""
    rate: Rate = field(default_factory=Rate)
    needed: Mapping[DeviceKind, int] = field(default_factory=dict)
    pauses_s: list[float] = field(default_factory=list)
    """Between its uses, that `habit` does not know yet."""
    known: Habit = field(default_factory=Habit)

    @property
    def idle(self) -> bool:
        """Whether its engine may be stopped at once."""
        return self.state is ModelState.LOADED and not self.in_flight

    @property
    def habit(self) -> Habit:
        """How it was used; reckoned when somebody asks, which most policies never do."""
        for pause_s in self.pauses_s:
            self.known = self.known.after(pause_s)
        self.pauses_s.clear()
        return self.known


@dataclass(slots=True)
class Device:
    """Room for engines."""

    number: int
    total_bytes: int
    free_bytes: int
    loading: bool = False
    residents: dict[str, Model] = field(default_factory=dict)
    since_s: float = 0.0
    """When `free_bytes` changed last."""
    held_byte_s: float = 0.0
    """Bytes that engines held, times for how long, until then."""

    def take(self, size_bytes: int, now_s: float) -> None:
        """From now on so much less is free; negative: more."""
        self.held_byte_s += (self.total_bytes - self.free_bytes) * (now_s - self.since_s)
        self.since_s = now_s
        self.free_bytes -= size_bytes


def drawn_sizes(models: Iterable[str], *, seed: int) -> dict[str, int]:
    """A size for each model, by its name and the seed."""
    draws = {name: random.Random(f"{seed}:{name}") for name in sorted(models)}
    return {n: draw.choices(SIZES_BYTES, SIZE_WEIGHTS)[0] for n, draw in draws.items()}
