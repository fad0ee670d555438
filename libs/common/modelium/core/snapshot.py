"""What `decide` sees: every model and device at one moment.

Frozen values. Commands that are on their way are already in it: a model whose load was commanded
is `loading` here, with its device and its bytes, whatever its record still says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelium.common.records import LIVE_STATES, DeviceKind, ModelState
from modelium.core.habit import Habit

STARTABLE = frozenset({ModelState.UNLOADED, ModelState.ERROR})
"""States in which a load can begin."""


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
class ModelView:
    """One model, over all gateways; durations in seconds."""

    model: str
    state: ModelState
    needed: Mapping[DeviceKind, int] = field(default_factory=dict)
    """Bytes of one device, by its kind."""
    blocked: str = ""
    """Why it cannot be loaded whatever is free; empty when it can."""
    pinned: bool = False
    removed: bool = False
    stale_files: bool = False
    """Its engine serves files that have been replaced."""
    unload_requested: bool = False
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

    @property
    def live(self) -> bool:
        """Whether it may have an engine."""
        return self.state in LIVE_STATES

    @property
    def unused_s(self) -> float:
        """How long it has served nobody; a fresh engine is not older than itself."""
        known = [s for s in (self.idle_s, self.loaded_for_s) if s is not None]
        return 0.0 if self.in_flight else min(known, default=0.0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All models, and the devices of all agents that are alive."""

    models: tuple[ModelView, ...]
    devices: tuple[DeviceView, ...]

    def model(self, name: str) -> ModelView | None:
        """The model of that name."""
        return next((model for model in self.models if model.model == name), None)
