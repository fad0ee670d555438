"""One node: models, devices, and what happens on them; no policy.

A loaded model serves any number of requests at once. Loads on one device run one at a time. An
idle engine is gone at once when it is stopped; one in use drains first and takes nothing new.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from benchmarks.policy.traces import Request
from modelium.common.records import DeviceKind
from modelium.core.habit import Habit, Rate

GB = 1_000_000_000
DEVICE_BYTES = 72 * GB
SIZES_BYTES = tuple(gb * GB for gb in (3, 8, 18, 34, 46, 66))
SIZE_WEIGHTS = (25, 25, 20, 15, 10, 5)
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


RESTART = LoadTime("restart", 25.0, 2 * GB)
SLEEP_LIKE = LoadTime("sleep-like", 0.3, 20 * GB)


@dataclass(frozen=True, slots=True)
class Level:
    """One way to sleep."""

    number: int
    sleep: LoadTime
    wake: LoadTime
    in_host_memory: bool


AT_ONCE = LoadTime("at once", 0.0, float("inf"))
IDEAL = (Level(1, AT_ONCE, SLEEP_LIKE, in_host_memory=True),)
"""As in PERFORMANCE.md section 4: an engine is asleep at once."""
MEASURED = (
    Level(1, LoadTime("", 0.3, 1.6 * GB), SLEEP_LIKE, in_host_memory=True),
    Level(2, LoadTime("", 0.3, float("inf")), LoadTime("", 0.3, 2.6 * GB), in_host_memory=False),
)
"""vLLM PR #48337, Qwen3-8B on an A100: to sleep 10.6 and 0.3 s, to wake 2.2 and 6.5 s."""
ASLEEP_BYTES = 1 * GB
"""What an engine keeps of its device while it sleeps (ENGINES.md: 0.1 to 1.5 GB)."""


class State(Enum):
    """Of a model's engine."""

    COLD = "cold"
    LOADING = "loading"
    LOADED = "loaded"
    DRAINING = "draining"
    ASLEEP = "asleep"


@dataclass(slots=True)
class Model:
    """A model and its engine."""

    name: str
    size_bytes: int
    load_s: float
    arrivals: list[float] = field(default_factory=list)
    """All of the trace: only the clairvoyant may look beyond `seen`."""
    state: State = State.COLD
    device: int = -1
    in_flight: int = 0
    waiting: list[Request] = field(default_factory=list)
    seen: int = 0
    used_at_s: float | None = None
    loaded_at_s: float = 0.0
    loads: int = 0
    wakes: int = 0
    level: Level | None = None
    """At which it sleeps, or is to sleep once it serves nobody."""
    habit: Habit = field(default_factory=Habit)
    rate: Rate = field(default_factory=Rate)
    needed: Mapping[DeviceKind, int] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether its engine may be stopped at once."""
        return self.state is State.LOADED and not self.in_flight


@dataclass(slots=True)
class Device:
    """Room for engines."""

    number: int
    total_bytes: int
    free_bytes: int
    loading: bool = False
    residents: dict[str, Model] = field(default_factory=dict)


class Happening(Enum):
    """What may come next beside a request."""

    ENDED = "ended"
    ASLEEP = "asleep"
    LOADED = "loaded"


class Node:
    """All of it, at `now_s`; `changed` says whether a policy may want to act."""

    def __init__(
        self,
        sizes: dict[str, int],
        *,
        devices: int,
        load_time: LoadTime,
        device_bytes: int = DEVICE_BYTES,
        host_bytes: int = 0,
        levels: tuple[Level, ...] = (),
    ) -> None:
        self.now_s = 0.0
        self.models = {
            name: Model(name, size, load_time.seconds(size), needed={DeviceKind.CUDA: size})
            for name, size in sizes.items()
        }
        self.devices = [Device(number, device_bytes, device_bytes) for number in range(devices)]
        self.wanted: dict[str, Model] = {}
        """Models with waiters, the longest wait first."""
        self.host_bytes = self.host_free_bytes = host_bytes
        """Of host memory in which engines may sleep."""
        self.levels = levels
        self.waits_s: list[float] = []
        self.changed = False
        self._coming: list[tuple[float, int, Happening, Model]] = []
        self._order = 0

    @property
    def next_s(self) -> float:
        """When something ends next."""
        return self._coming[0][0] if self._coming else float("inf")

    def advance(self) -> None:
        """Let the next thing happen."""
        self.now_s, _, happening, model = heappop(self._coming)
        if happening is Happening.ENDED:
            self._ended(model)
        elif happening is Happening.ASLEEP:
            self._fell_asleep(model)
        else:
            self._loaded(model)

    def arrive(self, request: Request) -> None:
        """A request comes; it is served now, or waits."""
        self.now_s = request.at_s
        model = self.models[request.model]
        if not model.in_flight and not model.waiting and model.used_at_s is not None:
            model.habit = model.habit.after(self.now_s - model.used_at_s)
        model.seen += 1
        if model.state is State.LOADED:
            self._serve(model, request)
            return
        if not model.waiting:
            self.wanted[model.name] = model
            self.changed = True
        model.waiting.append(request)

    def load(self, model: Model, device: Device) -> None:
        """Start an engine."""
        if model.state is not State.COLD or device.loading or model.size_bytes > device.free_bytes:
            raise AssertionError(f"{model} cannot be loaded on {device}")
        model.state, model.device = State.LOADING, device.number
        model.loads += 1
        device.loading = True
        device.free_bytes -= model.size_bytes
        device.residents[model.name] = model
        self._later(model.load_s, Happening.LOADED, model)

    def stop(self, model: Model) -> None:
        """Stop an engine once it serves nobody."""
        if model.state is State.ASLEEP:
            self._leave_host(model)
            self._gone(model, held_bytes=ASLEEP_BYTES)
            return
        if model.state is not State.LOADED:
            raise AssertionError(f"{model} cannot be stopped")
        model.state = State.DRAINING
        if not model.in_flight:
            self._left(model)

    def sleep(self, model: Model, number: int) -> None:
        """Put an engine to sleep once it serves nobody."""
        level = next(level for level in self.levels if level.number == number)
        if level.in_host_memory:
            self.host_free_bytes -= model.size_bytes
        if model.state is not State.LOADED or self.host_free_bytes < 0:
            raise AssertionError(f"{model} cannot be put to sleep")
        model.state, model.level = State.DRAINING, level
        if not model.in_flight:
            self._left(model)

    def wake(self, model: Model) -> None:
        """Wake an engine."""
        device = self.devices[model.device]
        more = model.size_bytes - ASLEEP_BYTES
        if model.state is not State.ASLEEP or device.loading or more > device.free_bytes:
            raise AssertionError(f"{model} cannot be woken on {device}")
        wake_s = model.level.wake.seconds(model.size_bytes) if model.level else 0.0
        model.state = State.LOADING
        model.wakes += 1
        device.loading = True
        device.free_bytes -= more
        self._leave_host(model)
        self._later(wake_s, Happening.LOADED, model)

    def _serve(self, model: Model, request: Request) -> None:
        self.waits_s.append(self.now_s - request.at_s)
        model.in_flight += 1
        self._later(request.lasts_s, Happening.ENDED, model)

    def _ended(self, model: Model) -> None:
        model.in_flight -= 1
        model.rate.add(1, self.now_s)
        model.used_at_s = self.now_s
        if not model.in_flight:
            self.changed = True
            if model.state is State.DRAINING:
                self._left(model)

    def _loaded(self, model: Model) -> None:
        model.state, model.loaded_at_s = State.LOADED, self.now_s
        self.devices[model.device].loading = False
        self.wanted.pop(model.name, None)
        for request in model.waiting:
            self._serve(model, request)
        model.waiting = []
        self.changed = True

    def _left(self, model: Model) -> None:
        """It serves nobody any more."""
        if model.level is None:
            self._gone(model, held_bytes=model.size_bytes)
        else:
            self.devices[model.device].loading = True
            self._later(model.level.sleep.seconds(model.size_bytes), Happening.ASLEEP, model)

    def _fell_asleep(self, model: Model) -> None:
        device = self.devices[model.device]
        model.state = State.ASLEEP
        device.free_bytes += model.size_bytes - ASLEEP_BYTES
        device.loading = False
        self.changed = True

    def _leave_host(self, model: Model) -> None:
        if model.level and model.level.in_host_memory:
            self.host_free_bytes += model.size_bytes
        model.level = None

    def _gone(self, model: Model, *, held_bytes: int) -> None:
        device = self.devices[model.device]
        device.free_bytes += held_bytes
        del device.residents[model.name]
        model.state, model.device = State.COLD, -1
        self.changed = True

    def _later(self, after_s: float, happening: Happening, model: Model) -> None:
        self._order += 1
        heappush(self._coming, (self.now_s + after_s, self._order, happening, model))


def drawn_sizes(models: set[str], *, seed: int) -> dict[str, int]:
    """A size for each model, by its name and the seed."""
    draws = {name: random.Random(f"{seed}:{name}") for name in sorted(models)}
    return {n: draw.choices(SIZES_BYTES, SIZE_WEIGHTS)[0] for n, draw in draws.items()}
