"""The books of one `decide`: what is still free and which devices are still open to an action.

A device takes one action at a time; a device that is being emptied for a waiter is closed to
everybody behind it, so that the memory freed is not taken away by a smaller model.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from modelium.common.records import ModelState
from modelium.core.habit import next_use_s
from modelium.core.policy import Policy
from modelium.core.snapshot import WAITABLE, DeviceView, ModelView, Snapshot
from modelium.core.victims import STOPPABLE, by_worth, displacement_cost

CHANGING: Final = frozenset({ModelState.LOADING, ModelState.UNLOADING})


@dataclass(slots=True)
class Books:
    """Mutable, and alive for one `decide` only."""

    snapshot: Snapshot
    keep: frozenset[str] = frozenset()
    """Models that somebody's advice would rather keep."""
    devices: dict[str, DeviceView] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    commanded: dict[str, str] = field(default_factory=dict)
    """Device to the model that an action of this round starts or stops there."""
    claimed: dict[str, str] = field(default_factory=dict)
    """Device to the waiter it is being emptied for."""
    waiting: int = 0
    """How many models somebody waits for that could be served, were there room."""
    expected_s: dict[str, float] = field(default_factory=dict)
    """Model to when it is expected to be used next, as far as somebody has asked."""
    bounds_s: dict[str, float] = field(default_factory=dict)
    """Model to how long it may be waited for, once somebody has asked."""
    changing: frozenset[str] = frozenset()
    """Devices on which a model is loading or unloading."""
    ordered: dict[str, tuple[ModelView, ...]] = field(default_factory=dict)
    """Device to its engines that can be stopped, by worth, as far as somebody has asked."""
    residents: dict[str, tuple[ModelView, ...]] = field(default_factory=dict)
    pinned: dict[str, tuple[ModelView, ...]] = field(default_factory=dict)
    """Device to its engines that never make room for anybody."""
    host_free: dict[str, int] = field(default_factory=dict)
    """Agent to the host memory that is free for engines to sleep in."""
    left: dict[str, int] = field(default_factory=dict)
    """Device to what it has for models that are not always loaded."""
    unused_s: dict[str, float] = field(default_factory=dict)
    """Device to `longest_unused_s`, once somebody has asked."""
    costs: dict[str, float] = field(default_factory=dict)
    """Device to `least_cost`, once somebody has asked."""
    anybody_can_sleep: bool = False
    frees: dict[str, int] = field(default_factory=dict)
    """Model to the bytes that its devices get back if it gives way, once somebody has asked."""
    asleep: dict[str, list[ModelView]] = field(default_factory=dict)
    """Agent to its models that sleep."""
    copies: dict[str, list[ModelView]] = field(default_factory=dict)
    """Model to its engines beside the first."""

    def __post_init__(self) -> None:
        seen = self.snapshot
        self.devices = {d.device_id: d for d in seen.devices}
        self.free = {d.device_id: d.free_bytes for d in seen.devices}
        self.host_free = {host.agent_id: host.free_bytes for host in seen.hosts}
        self.anybody_can_sleep = any([model.sleeps for model in seen.models])
        self._note_residents()
        self.pinned = {
            device_id: tuple(m for m in models if m.pinned and _stays(m))
            for device_id, models in self.residents.items()
        }
        self.left = {d.device_id: self._left_bytes(d) for d in seen.devices}
        self.waiting = sum(
            m.wanted_for_s is not None and self._can_be_served(m) for m in seen.models
        )

    def _note_residents(self) -> None:
        here: dict[str, list[ModelView]] = {d.device_id: [] for d in self.snapshot.devices}
        changing: set[str] = set()
        for copy in self.snapshot.copies:
            self.copies.setdefault(copy.model, []).append(copy)
        for model in (*self.snapshot.models, *self.snapshot.copies):
            if not model.device_ids:
                continue
            for device_id in model.device_ids if model.live else ():
                here.setdefault(device_id, []).append(model)
            if model.state in CHANGING:
                changing.update(model.device_ids)
            elif model.state is ModelState.SLEEPING and not model.copy_id:
                self.asleep.setdefault(self.agent_of(model), []).append(model)
        self.residents = {device_id: tuple(models) for device_id, models in here.items()}
        self.changing = frozenset(changing)

    def _left_bytes(self, device: DeviceView) -> int:
        pinned = self.pinned[device.device_id]
        return device.total_bytes - (sum(m.held_bytes for m in pinned) if pinned else 0)

    def busy(self, device: DeviceView) -> bool:
        """Whether something is being started or stopped there, or is about to be."""
        return (
            device.busy or device.device_id in self.commanded or device.device_id in self.changing
        )

    def in_state(self, device: DeviceView, *states: ModelState) -> tuple[ModelView, ...]:
        """Its engines in one of these states."""
        return tuple(m for m in self.residents[device.device_id] if m.state in states)

    def fits(self, device: DeviceView, model: ModelView) -> bool:
        """Whether the model fits into what is free there now, and nobody older waits for it."""
        if device.device_id in self.claimed:
            return False
        return model.more_bytes(device) <= self.free[device.device_id]

    def can_hold(self, device: DeviceView, model: ModelView) -> bool:
        """Whether the model fits there once all have left that may ever leave."""
        return 0 < model.needed.get(device.kind, 0) <= self.left[device.device_id]

    def roomy(self, model: ModelView) -> list[DeviceView]:
        """The devices that can hold it."""
        needed, left = model.needed, self.left
        return [d for d in self.devices.values() if 0 < needed.get(d.kind, 0) <= left[d.device_id]]

    def next_use_s(self, model: ModelView) -> float:
        """When it is expected to be used again; 0: it is in use. Nobody will miss a copy."""
        if model.copy_id:
            return math.inf
        if model.in_flight or model.waiting:
            return 0.0
        known = self.expected_s.get(model.model)
        if known is None:
            known = self.expected_s[model.model] = next_use_s(model.habit, model.unused_s)
        return known

    def by_worth(
        self, device: DeviceView, keep: frozenset[str] = frozenset()
    ) -> tuple[ModelView, ...]:
        """Its engines that can be stopped, those first that are expected to be used last."""
        if keep:
            return by_worth(self.in_state(device, *STOPPABLE), keep, self.next_use_s)
        known = self.ordered.get(device.device_id)
        if known is None:
            here = self.in_state(device, *STOPPABLE)
            known = self.ordered[device.device_id] = by_worth(here, keep, self.next_use_s)
        return known

    def longest_unused_s(self, device: DeviceView) -> float:
        """When that of its engines is expected to be used again which is used last."""
        known = self.unused_s.get(device.device_id)
        if known is None:
            known = max(map(self.next_use_s, self.in_state(device, *STOPPABLE)), default=0.0)
            self.unused_s[device.device_id] = known
        return known

    def least_cost(self, device: DeviceView, policy: Policy) -> float:
        """Of having any of its engines give way."""
        known = self.costs.get(device.device_id)
        if known is None:
            here = self.in_state(device, *STOPPABLE)
            known = min((displacement_cost(m, policy) for m in here), default=0.0)
            self.costs[device.device_id] = known
        return known

    def take(self, device: DeviceView, model: ModelView) -> None:
        """Set the model's bytes aside."""
        self.free[device.device_id] -= model.more_bytes(device)

    def command(self, device_ids: Iterable[str], model: ModelView) -> None:
        """An action of this round works on these devices."""
        for device_id in device_ids:
            self.commanded[device_id] = model.model

    def is_here(self, model: ModelView) -> bool:
        """Whether it has an engine on devices whose agent is alive and that got no order yet."""
        if any(device_id in self.commanded for device_id in model.device_ids):
            return False
        return len(self.devices_of(model)) == len(model.device_ids) > 0

    def can_stop(self, model: ModelView) -> bool:
        """Whether its engine's agent is there and none of its devices is at something else."""
        return self.is_here(model) and not any(map(self.busy, self.devices_of(model)))

    def agent_of(self, model: ModelView) -> str:
        """The agent that has its engine; empty: it has none, or its agent is not alive."""
        return next((device.agent_id for device in self.devices_of(model)), "")

    def devices_of(self, model: ModelView) -> list[DeviceView]:
        """Those of its devices whose agent is alive."""
        known = self.devices
        return [known[device_id] for device_id in model.device_ids if device_id in known]

    def _can_be_served(self, model: ModelView) -> bool:
        """Whether it may serve as soon as there is room."""
        if model.state not in WAITABLE or model.blocked or model.retry_in_s > 0:
            return False
        return bool(model.spans or self.roomy(model))


def _stays(model: ModelView) -> bool:
    """Whether a pinned engine has no reasons of its own to leave either."""
    going = model.removed or model.stale_files
    return model.state in STOPPABLE and not going
