"""Modelium: `decide`, seen and obeyed as by the orchestrator, with or without advice. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from modelium.common.advice import MetricsTick
from modelium.common.figures import Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Action, Load, Sleep, Unload, Wake
from modelium.core.bound import wait_bounds_s
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, HostView, ModelView, SleepView, Snapshot
from modelium.core.ticks import figures_of_devices, figures_of_models
from modelium.core.transitions import Expected
from modelium.replay.node import Node
from modelium.replay.parts import ASLEEP_BYTES, Level, Model
from modelium.replay.simulate import someone_waits

AGENT = "local"
Advisor = Callable[[MetricsTick], Sequence[Decision]]
"""What the brain is: it gets a tick and says what should become of models."""


def time_of(tick: MetricsTick) -> float:
    """When a tick of a replay was: seconds since its trace began."""
    return float(tick.message_id)


@dataclass(slots=True)
class Deciding:
    """Looks once a second while somebody waits, as the orchestrator does.

    The advisor is asked at every tick, one for each decision interval. Asked as soon as somebody
    waited instead, the mean wait by the rules was up to 6 % longer in nine replays. Unless it
    `foresees` it has nothing to say while nobody waits, and such ticks are passed over, which are
    most of the work.
    """

    policy: Policy
    advisor: Advisor | None = None
    interval_s: float = 10.0
    foresees: bool = False
    tick_s: float = 1.0
    _advice: tuple[Decision, ...] = ()
    _ticked_s: float = 0.0
    _asked_s: float = 0.0
    _ended: dict[str, int] = field(default_factory=dict)
    _cold: dict[str, ModelView] = field(default_factory=dict)

    def due_s(self, node: Node, acted_s: float) -> float:
        """Waiters grow older, and the next interval begins."""
        next_tick_s = self._ticked_s + self.interval_s if self.advisor else inf
        if not node.wanted or not someone_waits(node):
            return next_tick_s if self.foresees else inf
        return min(acted_s + self.tick_s, next_tick_s)

    def act(self, node: Node) -> None:
        """Decide as long as what was done at once lets more be done."""
        told = self._take_advice(node)
        while told or someone_waits(node):
            told = False
            age_s = node.now_s - self._ticked_s
            for action in decide(
                self.snapshot(node), self._advice, self.policy, advice_age_s=age_s
            ):
                self._carry_out(node, action)
            if not node.changed:
                break
            node.changed = False

    def _take_advice(self, node: Node) -> bool:
        """Ask the advisor, if it is time; whether there is something new to follow."""
        if self.advisor is None or node.now_s < self._ticked_s + self.interval_s:
            return False
        passed = int((node.now_s - self._ticked_s) / self.interval_s)
        self._ticked_s += max(1, passed) * self.interval_s
        self._advice = ()
        if self._ticked_s == node.now_s:
            elapsed_s, self._asked_s = node.now_s - self._asked_s, node.now_s
            self._advice = tuple(self.advisor(self.tick(node, elapsed_s)))
        return bool(self._advice)

    def tick(self, node: Node, elapsed_s: float) -> MetricsTick:
        """What the orchestrator would tell the brain."""
        seen = self.snapshot(node, fresh=True)
        before, self._ended = self._ended, {m.name: m.ended for m in node.models.values()}
        rates = {m: (n - before.get(m, 0)) / elapsed_s for m, n in self._ended.items()}
        return MetricsTick(
            message_id=f"{node.now_s:.3f}",
            interval_s=elapsed_s,
            models=figures_of_models(seen, self.policy, rates),
            devices=figures_of_devices(seen),
        )

    def bound_s(self, node: Node, longest_request_s: float) -> float:
        """What nobody waits longer than, now that all loads are known.

        On a node an engine is gone as soon as its last request has ended.
        """
        policy = replace(self.policy, drain_deadline_s=longest_request_s, stop_s=0)
        return max(wait_bounds_s(self.snapshot(node, fresh=True), policy).values())

    def snapshot(self, node: Node, *, fresh: bool = False) -> Snapshot:
        """What the orchestrator would make of it; `fresh`: cold models are looked at, too."""
        if fresh:
            self._cold.clear()
        expected = node.expected if fresh else {}
        return Snapshot(
            models=tuple(self._view(node, model, expected) for model in node.models.values()),
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

    def _view(self, node: Node, model: Model, expected: Mapping[str, Expected]) -> ModelView:
        """To `decide`, a model that is cold and not wanted looks the same as long as it is."""
        if model.state is ModelState.UNLOADED and not model.waiting:
            known = self._cold.get(model.name)
            if known is None:
                why = expected.get(model.name)
                known = self._cold[model.name] = _seen(node, model, self.policy, why)
            return known
        self._cold.pop(model.name, None)
        return _seen(node, model, self.policy, expected.get(model.name))

    def _carry_out(self, node: Node, action: Action) -> None:
        match action:
            case Load(model, _, (device_id,), is_ahead=ahead):
                node.load(node.models[model], node.devices[int(device_id)], ahead=ahead)
            case Unload(model):
                node.stop(node.models[model])
            case Sleep(model, level):
                node.sleep(node.models[model], level)
            case Wake(model):
                node.wake(node.models[model])
            case _:
                pass


def _seen(node: Node, model: Model, policy: Policy, expected: Expected | None) -> ModelView:
    now_s = node.now_s
    engine = model.state is not ModelState.UNLOADED
    return ModelView(
        model=model.name,
        state=model.state,
        needed=model.needed,
        pinned=model.name in policy.always_loaded,
        loaded_ahead_s=None if model.ahead_at_s is None else now_s - model.ahead_at_s,
        device_ids=(str(model.device),) if engine else (),
        held_bytes=_held_bytes(model),
        waiting=len(model.waiting),
        wanted_for_s=now_s - model.waiting[0].at_s if model.waiting else None,
        in_flight=model.in_flight,
        idle_s=_idle_s(model, now_s),
        loaded_for_s=now_s - model.loaded_at_s if model.state is ModelState.LOADED else None,
        rate_per_s=model.rate.per_s(now_s),
        load_s=model.load_s if model.loads else None,
        habit=model.habit,
        expected=expected,
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
        case ModelState.UNLOADED:
            return 0
        case ModelState.SLEEPING:
            return ASLEEP_BYTES
        case _:
            return model.size_bytes


def _idle_s(model: Model, now_s: float) -> float | None:
    if model.in_flight:
        return 0.0
    return None if model.used_at_s is None else now_s - model.used_at_s
