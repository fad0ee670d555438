"""Modelium: `decide`, seen and obeyed as by the orchestrator."""

from dataclasses import dataclass, field, replace

from benchmarks.policy.node import ASLEEP_BYTES, Level, Model, Node, State
from benchmarks.policy.simulate import someone_waits
from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Sleep, Unload, Wake
from modelium.core.bound import wait_bounds_s
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, HostView, ModelView, SleepView, Snapshot

AGENT = "local"
STATES = {
    State.COLD: ModelState.UNLOADED,
    State.LOADING: ModelState.LOADING,
    State.LOADED: ModelState.LOADED,
    State.DRAINING: ModelState.UNLOADING,
    State.ASLEEP: ModelState.SLEEPING,
}


@dataclass(slots=True)
class Modelium:
    """Looks once a second while somebody waits, as the orchestrator does."""

    policy: Policy
    tick_s: float = 1.0
    calls: int = 0
    _cold: dict[str, ModelView] = field(default_factory=dict)

    def is_due(self, node: Node) -> bool:
        """Waiters grow older."""
        return someone_waits(node)

    def act(self, node: Node) -> None:
        """Decide as long as what was done at once lets more be done."""
        while someone_waits(node):
            self.calls += 1
            for action in decide(self.snapshot(node), (), self.policy):
                self._carry_out(node, action)
            if not node.changed:
                break
            node.changed = False

    def bound_s(self, node: Node, longest_request_s: float) -> float:
        """What nobody waits longer than, now that all loads are known.

        On a node an engine is gone as soon as its last request has ended.
        """
        self._cold.clear()
        policy = replace(self.policy, drain_deadline_s=longest_request_s, stop_s=0)
        return max(wait_bounds_s(self.snapshot(node), policy).values())

    def snapshot(self, node: Node) -> Snapshot:
        """What the orchestrator would make of it."""
        return Snapshot(
            models=tuple(self._view(node, model) for model in node.models.values()),
            devices=tuple(
                DeviceView(
                    device_id=str(device.number),
                    agent_id=AGENT,
                    kind=DeviceKind.CUDA,
                    name=f"GPU {device.number}",
                    total_bytes=device.total_bytes,
                    free_bytes=device.free_bytes,
                )
                for device in node.devices
            ),
            hosts=(HostView(AGENT, node.host_free_bytes),),
        )

    def _view(self, node: Node, model: Model) -> ModelView:
        """A model that is cold and not wanted looks the same as long as it is."""
        if model.state is State.COLD and not model.waiting:
            known = self._cold.get(model.name)
            if known is None:
                known = self._cold[model.name] = _seen(node, model)
            return known
        return _seen(node, model)

    def _carry_out(self, node: Node, action: Action) -> None:
        match action:
            case Load(model, _, (device_id,)):
                node.load(node.models[model], node.devices[int(device_id)])
            case Unload(model):
                node.stop(node.models[model])
            case Sleep(model, level):
                node.sleep(node.models[model], level)
            case Wake(model):
                node.wake(node.models[model])
            case _:
                pass


def _seen(node: Node, model: Model) -> ModelView:
    now_s = node.now_s
    engine = model.state is not State.COLD
    return ModelView(
        model=model.name,
        state=STATES[model.state],
        needed=model.needed,
        device_ids=(str(model.device),) if engine else (),
        held_bytes=_held_bytes(model),
        waiting=len(model.waiting),
        wanted_for_s=now_s - model.waiting[0].at_s if model.waiting else None,
        in_flight=model.in_flight,
        idle_s=_idle_s(model, now_s),
        loaded_for_s=now_s - model.loaded_at_s if model.state is State.LOADED else None,
        rate_per_s=model.rate.per_s(now_s),
        load_s=model.load_s if model.loads else None,
        habit=model.habit,
        sleeps=tuple(_sleep_view(model, level) for level in node.levels),
        asleep=_sleep_view(model, model.level) if model.level else None,
    )


def _sleep_view(model: Model, level: Level) -> SleepView:
    return SleepView(
        level=level.number,
        sleep_s=level.sleep.seconds(model.size_bytes),
        wake_s=level.wake.seconds(model.size_bytes),
        asleep_bytes=ASLEEP_BYTES,
        host_bytes=model.size_bytes if level.in_host_memory else 0,
    )


def _held_bytes(model: Model) -> int:
    match model.state:
        case State.COLD:
            return 0
        case State.ASLEEP:
            return ASLEEP_BYTES
        case _:
            return model.size_bytes


def _idle_s(model: Model, now_s: float) -> float | None:
    if model.in_flight:
        return 0.0
    return None if model.used_at_s is None else now_s - model.used_at_s
