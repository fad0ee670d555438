"""A world of models and devices that runs by `decide`, second by second."""

from dataclasses import dataclass, field

from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Unload
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.rulebook import broken
from tests.unit.core.strategies import ENGINE_STATES


@dataclass
class World:
    """Models on devices, run by `decide` in steps of one second; requests last a while."""

    sizes: dict[str, int]
    totals: dict[str, int]
    policy: Policy
    load_s: int = 3
    state: dict[str, ModelState] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    waits: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, list[int]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    now: int = 0
    longest_wait: int = 0
    loads: int = 0

    def step(self, requests: list[str], lasting: int) -> None:
        """Requests arrive, engines go on, one decision is made and carried out."""
        self.now += 1
        for name in requests:
            self.waits.setdefault(name, []).append(self.now)
        for name in self.sizes:
            self._go_on(name, lasting)
        snapshot = self.snapshot()
        actions = decide(snapshot, (), self.policy)
        assert broken(snapshot, actions) == []
        for action in actions:
            self._carry_out(action)
        for slot, total in self.totals.items():
            assert sum(self.sizes[n] for n, at in self.where.items() if at == slot) <= total

    def snapshot(self) -> Snapshot:
        devices = tuple(
            DeviceView(
                slot,
                "local",
                DeviceKind.CPU,
                slot,
                total,
                total - sum(self.sizes[n] for n, at in self.where.items() if at == slot),
            )
            for slot, total in self.totals.items()
        )
        return Snapshot(models=tuple(self._view(name) for name in self.sizes), devices=devices)

    def _go_on(self, name: str, lasting: int) -> None:
        state, age = self.state.get(name), self.now - self.since.get(name, 0)
        self.ends[name] = [end for end in self.ends.get(name, []) if end > self.now]
        if state is ModelState.LOADING and age >= self.load_s:
            self._enter(name, ModelState.LOADED)
        elif state is ModelState.UNLOADING and not self.ends[name] and age >= 1:
            self._enter(name, ModelState.UNLOADED)
            del self.where[name]
        if self.state.get(name) is ModelState.LOADED and self.waits.get(name):
            self.longest_wait = max(self.longest_wait, self.now - min(self.waits[name]))
            self.ends[name] += [self.now + lasting for _ in self.waits.pop(name)]
        if self.ends[name]:
            self.used[name] = self.now

    def _view(self, name: str) -> ModelView:
        state = self.state.get(name, ModelState.UNLOADED)
        asked = self.waits.get(name, [])
        return ModelView(
            model=name,
            state=state,
            needed=dict.fromkeys(DeviceKind, self.sizes[name]),
            device_ids=(self.where[name],) if name in self.where else (),
            held_bytes=self.sizes[name] if name in self.where else 0,
            waiting=len(asked),
            wanted_for_s=float(self.now - min(asked)) if asked else None,
            in_flight=len(self.ends.get(name, [])),
            idle_s=float(self.now - self.used[name]) if name in self.used else None,
            loaded_for_s=float(self.now - self.since[name]) if state in ENGINE_STATES else None,
            load_s=float(self.load_s),
            rate_per_s=0.2 if self.ends.get(name) else 0.0,
        )

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Load):
            self.where[action.model] = action.device_ids[0]
            self._enter(action.model, ModelState.LOADING)
            self.loads += 1
        elif isinstance(action, Unload):
            self._enter(action.model, ModelState.UNLOADING)

    def _enter(self, name: str, state: ModelState) -> None:
        self.state[name] = state
        self.since[name] = self.now
