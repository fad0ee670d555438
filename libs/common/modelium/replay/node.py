"""One node: models, devices, and what happens on them; no policy. Pure.

A loaded model serves any number of requests at once. Loads on one device run one at a time. An
idle engine is gone at once when it is stopped; one in use drains first and takes nothing new.
"""

from collections.abc import Mapping
from enum import Enum
from heapq import heappop, heappush

from modelium.common.records import DeviceKind, ModelState
from modelium.core.habit import LONG_S
from modelium.core.transitions import Expected, Transitions
from modelium.replay.parts import ASLEEP_BYTES, DEVICE_BYTES, Device, Level, LoadTime, Model
from modelium.replay.trace import Request


class Happening(Enum):
    """What may come next beside a request."""

    ENDED = "ended"
    ASLEEP = "asleep"
    LOADED = "loaded"


class Node:
    """All of it, at `now_s`; `changed` says whether a policy may want to act."""

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        devices: int,
        load_time: LoadTime,
        loads_s: Mapping[str, float] | None = None,
        device_bytes: int = DEVICE_BYTES,
        host_bytes: int = 0,
        levels: tuple[Level, ...] = (),
    ) -> None:
        """`loads_s`: how long models load for which `load_time` does not hold."""
        self.now_s = 0.0
        known_s = loads_s or {}
        self.models = {
            name: Model(
                name,
                size,
                known_s.get(name, load_time.seconds(size)),
                needed={DeviceKind.CUDA: size},
            )
            for name, size in sizes.items()
        }
        self.devices = [Device(number, device_bytes, device_bytes) for number in range(devices)]
        self.wanted: dict[str, Model] = {}
        """Models with waiters, the longest wait first."""
        self.host_bytes = self.host_free_bytes = host_bytes
        """Of host memory in which engines may sleep."""
        self.levels = levels
        self.served = 0
        self.waits: list[tuple[float, float]] = []
        """When somebody came that had to wait, and for how long."""
        self.changed = False
        self._transitions = Transitions()
        self._begins: list[tuple[str, float, float]] = []
        """What `_transitions` do not know yet: model, pause and when it was over."""
        self._coming: list[tuple[float, int, Happening, Model]] = []
        self._order = 0

    @property
    def next_s(self) -> float:
        """When something ends next."""
        return self._coming[0][0] if self._coming else float("inf")

    def advance(self) -> None:
        """Let the next thing happen."""
        self.now_s, number, happening, model = heappop(self._coming)
        if happening is Happening.ENDED:
            self._ended(model)
        elif happening is Happening.ASLEEP:
            self._fell_asleep(model)
        elif number == model.load_number:
            self._loaded(model)

    def arrive(self, request: Request) -> None:
        """A request comes; it is served now, or waits."""
        self.now_s = request.at_s
        model = self.models[request.model]
        if not model.in_flight and not model.waiting and model.used_at_s is not None:
            self._pause_over(model, self.now_s - model.used_at_s)
        model.ahead_at_s = None
        model.seen += 1
        if model.state is ModelState.LOADED:
            self._serve(model, request)
            return
        if not model.waiting:
            self.wanted[model.name] = model
            self.changed = True
        model.waiting.append(request)

    def _pause_over(self, model: Model, pause_s: float) -> None:
        model.pauses_s.append(pause_s)
        if pause_s >= LONG_S:
            self._begins.append((model.name, pause_s, self.now_s))

    @property
    def expected(self) -> dict[str, Expected]:
        """By who follows whom; reckoned when somebody asks, which most policies never do."""
        for begin in self._begins:
            self._transitions.used_after(*begin)
        self._begins.clear()
        return self._transitions.expected(self.now_s)

    def load(self, model: Model, device: Device, *, ahead: bool = False) -> None:
        """Start an engine; `ahead`: before anybody has asked for it."""
        if (
            model.state is not ModelState.UNLOADED
            or device.loading
            or model.size_bytes > device.free_bytes
        ):
            raise AssertionError(f"{model} cannot be loaded on {device}")
        model.state, model.device = ModelState.LOADING, device.number
        model.loads += 1
        model.ahead_at_s = self.now_s if ahead else None
        device.loading = True
        device.take(model.size_bytes, self.now_s)
        device.residents[model.name] = model
        model.load_number = self._later(model.load_s, Happening.LOADED, model)

    def stop(self, model: Model) -> None:
        """Stop an engine once it serves nobody; a load under way is given up."""
        if model.state is ModelState.SLEEPING:
            self._leave_host(model)
            self._gone(model, held_bytes=ASLEEP_BYTES)
            return
        if model.state is ModelState.LOADING and not model.waiting:
            self._give_up(model)
            return
        if model.state is not ModelState.LOADED:
            raise AssertionError(f"{model} cannot be stopped")
        model.state = ModelState.UNLOADING
        if not model.in_flight:
            self._left(model)

    def sleep(self, model: Model, number: int) -> None:
        """Put an engine to sleep once it serves nobody."""
        level = next(level for level in self.levels if level.number == number)
        if level.in_host_memory:
            self.host_free_bytes -= model.size_bytes
        if model.state is not ModelState.LOADED or self.host_free_bytes < 0:
            raise AssertionError(f"{model} cannot be put to sleep")
        model.state, model.level = ModelState.UNLOADING, level
        if not model.in_flight:
            self._left(model)

    def wake(self, model: Model) -> None:
        """Wake an engine."""
        device = self.devices[model.device]
        more = model.size_bytes - ASLEEP_BYTES
        if model.state is not ModelState.SLEEPING or device.loading or more > device.free_bytes:
            raise AssertionError(f"{model} cannot be woken on {device}")
        wake_s = model.level.wake.seconds(model.size_bytes) if model.level else 0.0
        model.state = ModelState.LOADING
        model.wakes += 1
        device.loading = True
        device.take(more, self.now_s)
        self._leave_host(model)
        model.load_number = self._later(wake_s, Happening.LOADED, model)

    def _serve(self, model: Model, request: Request) -> None:
        self.served += 1
        if self.now_s > request.at_s:
            self.waits.append((request.at_s, self.now_s - request.at_s))
        model.in_flight += 1
        self._later(request.lasts_s, Happening.ENDED, model)

    def _ended(self, model: Model) -> None:
        model.in_flight -= 1
        model.ended += 1
        model.rate.add(1, self.now_s)
        model.used_at_s = self.now_s
        if not model.in_flight:
            self.changed = True
            if model.state is ModelState.UNLOADING:
                self._left(model)

    def _loaded(self, model: Model) -> None:
        model.state, model.loaded_at_s = ModelState.LOADED, self.now_s
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
        model.state = ModelState.SLEEPING
        device.take(ASLEEP_BYTES - model.size_bytes, self.now_s)
        device.loading = False
        self.changed = True

    def _give_up(self, model: Model) -> None:
        model.load_number = 0
        self.devices[model.device].loading = False
        self._gone(model, held_bytes=model.size_bytes)

    def _leave_host(self, model: Model) -> None:
        if model.level and model.level.in_host_memory:
            self.host_free_bytes += model.size_bytes
        model.level = None

    def _gone(self, model: Model, *, held_bytes: int) -> None:
        device = self.devices[model.device]
        device.take(-held_bytes, self.now_s)
        del device.residents[model.name]
        model.state, model.device = ModelState.UNLOADED, -1
        self.changed = True

    def _later(self, after_s: float, happening: Happening, model: Model) -> int:
        """Its number among all that was to happen."""
        self._order += 1
        heappush(self._coming, (self.now_s + after_s, self._order, happening, model))
        return self._order
