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


class State(Enum):
    """Of a model's engine."""

    COLD = "cold"
    LOADING = "loading"
    LOADED = "loaded"
    DRAINING = "draining"


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
    ) -> None:
        self.now_s = 0.0
        self.models = {
            name: Model(name, size, load_time.seconds(size), needed={DeviceKind.CUDA: size})
            for name, size in sizes.items()
        }
        self.devices = [Device(number, device_bytes, device_bytes) for number in range(devices)]
        self.wanted: dict[str, Model] = {}
        """Models with waiters, the longest wait first."""
        self.waits_s: list[float] = []
        self.most_waiting = 0
        """Models with waiters at the same time."""
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
            self.most_waiting = max(self.most_waiting, len(self.wanted))
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
        if model.state is not State.LOADED:
            raise AssertionError(f"{model} cannot be stopped")
        model.state = State.DRAINING
        if not model.in_flight:
            self._gone(model)

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
                self._gone(model)

    def _loaded(self, model: Model) -> None:
        model.state, model.loaded_at_s = State.LOADED, self.now_s
        self.devices[model.device].loading = False
        self.wanted.pop(model.name, None)
        for request in model.waiting:
            self._serve(model, request)
        model.waiting = []
        self.changed = True

    def _gone(self, model: Model) -> None:
        device = self.devices[model.device]
        device.free_bytes += model.size_bytes
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
