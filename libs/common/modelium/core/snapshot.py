"""What `decide` sees: every model and device at one moment.

Frozen values. Commands that are on their way are already in it: a model whose load was commanded
is `loading` here, with its device and its bytes, whatever its record still says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from modelium.common.records import LIVE_STATES, DeviceKind, ModelState
from modelium.core.habit import Habit
from modelium.core.transitions import Expected

STARTABLE = frozenset({ModelState.UNLOADED, ModelState.ERROR})
"""States in which a load can begin."""
WAITABLE = STARTABLE | {ModelState.SLEEPING}
"""States out of which a load or a wake makes it serve."""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device of an agent that is alive."""

    device_id: str
    agent_id: str
    kind: DeviceKind
    name: str
    total_bytes: int
    free_bytes: int
    """By `ledger.free_bytes`."""
    busy: bool = False
    """Something that belongs to no model here is being started or stopped on it."""


@dataclass(frozen=True, slots=True)
class HostView:
    """The host memory in which the engines of one agent may sleep."""

    agent_id: str
    free_bytes: int
    """What there is less what its sleeping engines have, and those that are being put to sleep."""


@dataclass(frozen=True, slots=True)
class SleepView:
    """What it takes to let a model sleep at one level: measured, or assumed until it was."""

    level: int
    """1: weights in host memory. 2: weights dropped, and read from disk when it wakes."""
    sleep_s: float
    """From the end of its last request until its devices have their memory back."""
    wake_s: float
    asleep_bytes: int
    """Kept of each of its devices."""
    host_bytes: int
    """Taken of its agent's host memory."""


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model, over all gateways; durations in seconds."""

    model: str
    state: ModelState
    needed: Mapping[DeviceKind, int] = field(default_factory=dict)
    """Bytes of one device, by its kind."""
    spans: Mapping[int, int] = field(default_factory=dict)
    """Number of GPUs over which it can be spread to the bytes of each."""
    blocked: str = ""
    """Why it cannot be loaded whatever is free; empty when it can."""
    pinned: bool = False
    removed: bool = False
    stale_files: bool = False
    """Its engine serves files that others have replaced which can be served; or it could not serve
    its own again. Of a copy: it serves other files than its model's first engine."""
    new_files_failed: bool = False
    """They have failed to load beside an engine that serves old ones."""
    unload_requested: bool = False
    sleep_requested: bool = False
    sent_away: bool = False
    """By an operator since its last use: it is loaded only for whoever asks for it."""
    loaded_ahead_s: float | None = None
    """How long ago it was loaded by advice, before anybody asked for it; None: it was not since its
    last use. Such a load is given up for whoever waits."""
    device_ids: tuple[str, ...] = ()
    held_bytes: int = 0
    """Of each of `device_ids`, by the ledger."""
    waiting: int = 0
    wanted_for_s: float | None = None
    """Since when somebody wants it: its oldest waiter, or a request from outside; None: nobody."""
    in_flight: int = 0
    idle_s: float | None = None
    """None: not requested since the system started."""
    loaded_for_s: float | None = None
    retry_in_s: float = 0.0
    rate_per_s: float = 0.0
    load_s: float | None = None
    generation: int = 0
    keep_alive_s: float | None = None
    """How long a client wants it kept when idle, instead of the policy's time; negative: for ever.
    """

    habit: Habit | None = None
    """How it was used so far; None: unknown."""
    expected: Expected | None = None
    """Because another model has just begun to be used; None: no such reason."""
    sleeps: tuple[SleepView, ...] = ()
    """The ways in which its engine can sleep where it runs; none: it cannot."""
    asleep: SleepView | None = None
    """The way in which it sleeps now."""
    copy_id: str = ""
    """Of an engine in `Snapshot.copies`: its instance id."""
    max_engines: int = 1
    crowded_for_s: float = 0.0
    """How long its engines had more to do than they should; see `replicas.py`."""
    calm_for_s: float = 0.0
    """How long one engine less would have been enough by far."""
    copy_retry_in_s: float = 0.0
    """Until it may get one more engine again, where one beside others has failed."""

    @property
    def key(self) -> str:
        """What tells it from all other engines."""
        return self.copy_id or self.model

    @property
    def live(self) -> bool:
        """Whether it may have an engine."""
        return self.state in LIVE_STATES

    @property
    def nobody_came(self) -> bool:
        """Whether it was loaded ahead and not used since, nor has one begun that it follows."""
        if self.loaded_ahead_s is None:
            return False
        return self.expected is None or self.expected.since_s >= self.loaded_ahead_s

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it, or it is always to be loaded."""
        return self.pinned or self.wanted_for_s is not None or self.waiting > 0

    def more_bytes(self, device: DeviceView) -> int:
        """What it needs there beside what it holds: an engine that sleeps has kept a part."""
        if self.state is not ModelState.SLEEPING or device.device_id not in self.device_ids:
            return self.needed.get(device.kind, 0)
        return self.awake_bytes(device) - self.held_bytes

    def awake_bytes(self, device: DeviceView) -> int:
        """What its engine holds of each device that it has when it serves, by estimate."""
        alone = self.needed.get(device.kind, 0)
        return self.spans.get(len(self.device_ids), alone) if len(self.device_ids) > 1 else alone

    @property
    def unused_s(self) -> float:
        """How long it has served nobody; a fresh engine is not older than itself."""
        if self.in_flight:
            return 0.0
        idle_s, loaded_for_s = self.idle_s, self.loaded_for_s
        if idle_s is None or loaded_for_s is None:
            return idle_s or loaded_for_s or 0.0
        return min(idle_s, loaded_for_s)


@dataclass(frozen=True)
class Snapshot:
    """All models, and the devices of all agents that are alive."""

    models: tuple[ModelView, ...]
    devices: tuple[DeviceView, ...]
    hosts: tuple[HostView, ...] = ()
    """Of the agents whose engines can sleep."""
    copies: tuple[ModelView, ...] = ()
    """Engines that models have beside their first: as seen alone, neither pinned nor wanted."""

    @property
    def loads_s(self) -> list[float]:
        """How long the last load of each model took, of those that had one."""
        return [model.load_s for model in self.models if model.load_s is not None]

    def model(self, name: str) -> ModelView | None:
        """The model of that name."""
        return self._by_name.get(name)

    def engine(self, key: str) -> ModelView | None:
        """The model of that name, or the copy of that instance id."""
        return self.model(key) or next((c for c in self.copies if c.copy_id == key), None)

    @cached_property
    def _by_name(self) -> Mapping[str, ModelView]:
        return {model.model: model for model in self.models}
