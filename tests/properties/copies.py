"""A fleet whose models may have several engines, and what is to be true of these.

Engines beside a model's first are in `engines` by their instance id. The best engine is the first,
as in the registry's records.
"""

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from modelium.common.records import ModelState
from modelium.core.actions import Action, Load, Sleep, Unload, Wake
from modelium.core.policy import Policy
from modelium.core.replicas import Crowd, Look, looked
from modelium.core.snapshot import ModelView, Snapshot
from tests.properties.fleet import Fleet
from tests.properties.fleet_judge import Judge
from tests.properties.fleet_machine import DEVICES, NAMES, FleetMachine, numbers, some_numbers
from tests.properties.fleet_parts import GIB, POLICY, Broken, Engine, Model, Place
from tests.properties.fleet_view import KIND

SEVERAL = replace(POLICY, max_engines=3, copy_above_requests=2, copy_after_s=2, drop_copy_after_s=6)
AT_ONCE_S = 2
_WORTH = (ModelState.LOADED, ModelState.LOADING, ModelState.UNLOADING)


@dataclass
class Copying(Fleet):
    """See the module."""

    policy: Policy = SEVERAL
    crowds: dict[str, Crowd] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    unmoved_s: int = 0
    """For how long old files are served although nothing is in the way."""
    copied: int = 0
    """How many copies were ever begun."""

    def of(self, model: str) -> dict[str, Engine]:
        """All its engines, the first before the others."""
        return {key: e for key, e in self.engines.items() if e.model == model}

    def fail(self, model: str) -> None:
        """An engine is gone; whom it served, another serves."""
        gone = self.engines[model]
        others = [e for e in self.of(gone.model).values() if e is not gone]
        if not any(e.state is ModelState.LOADED for e in others):
            super().fail(model if model in self.models else gone.model)
            self.engines.pop(model, None)
        else:
            del self.engines[model]
            self.disturb()
        self._arrange()

    def step(self) -> None:
        super().step()
        loaded = [e for e in self.engines.values() if e.state is ModelState.LOADED]
        moving = len(loaded) < len(self.engines) or self._somebody_waits()
        old = any(map(self.is_old, loaded))
        self.unmoved_s = self.unmoved_s + 1 if old and not moving else 0
        if self.unmoved_s > AT_ONCE_S:
            raise Broken("old_files", [e.model for e in loaded if self.is_old(e)])

    def snapshot(self) -> Snapshot:
        self._arrange()
        for name in self.models:
            self._look(name)
        seen = super().snapshot()
        copies = [self._copy(k, e) for k, e in self.engines.items() if k not in self.models]
        return replace(seen, models=tuple(map(self._first, seen.models)), copies=tuple(copies))

    def _arrange(self) -> None:
        """The best engine of each model is its first."""
        for name in self.models:
            engines = self.of(name)
            if engines:
                best = min(engines, key=lambda k: (*self._worth(engines[k]), k != name))
                if best != name:
                    first, beside = self.engines.pop(name, None), self.engines.pop(best)
                    self.engines[name] = beside
                    if first is not None:
                        self.engines[best] = first

    def _worth(self, engine: Engine) -> tuple[int, bool]:
        return _WORTH.index(engine.state), self.is_old(engine)

    def _look(self, name: str) -> None:
        engines = [e for e in self.of(name).values() if e.state is ModelState.LOADED]
        if not engines:
            self.crowds.pop(name, None)
            return
        in_flight = sum(len(e.ends_s) for e in self.of(name).values())
        waiting = len(self.models[name].waits_s)
        look = Look(len(engines), in_flight, waiting, self.ended.get(name, 0))
        self.crowds[name] = looked(self.crowds.get(name), look, self.policy, float(self.now_s))

    def _first(self, model: ModelView) -> ModelView:
        crowd = self.crowds.get(model.model)
        return replace(
            model,
            in_flight=sum(len(e.ends_s) for e in self.of(model.model).values()),
            max_engines=self.policy.max_engines,
            crowded_for_s=crowd.crowded_for_s() if crowd else 0.0,
            calm_for_s=crowd.calm_for_s() if crowd else 0.0,
        )

    def _copy(self, key: str, engine: Engine) -> ModelView:
        model = self.models[engine.model]
        return ModelView(
            model=engine.model,
            copy_id=key,
            state=engine.state,
            needed={KIND: model.size},
            device_ids=engine.devices,
            held_bytes=engine.size,
            in_flight=len(engine.ends_s),
            stale_files=self.is_old(engine) and engine.files != self.engines[engine.model].files,
            unload_requested=model.unload_asked,
            generation=int(key.rpartition(".")[2]),
        )

    def _go_on(self, engine: Engine) -> None:
        served = sum(end_s <= self.now_s for end_s in engine.ends_s)
        key = next(key for key, known in self.engines.items() if known is engine)
        rest = {k: e for k, e in self.engines.items() if e is not engine}
        model = self.models[engine.model]
        asked = model.unload_asked
        self.engines = {engine.model: engine}  # as if it were the only one
        super()._go_on(engine)
        self.engines = rest | ({key: engine} if self.engines else {})
        if self.of(engine.model):
            model.unload_asked = asked
        self.ended[engine.model] = self.ended.get(engine.model, 0) + served
        self._share(engine.model)

    def _share(self, name: str) -> None:
        """Requests are spread over those that serve, as gateways do."""
        serving = [e for e in self.of(name).values() if e.state is ModelState.LOADED]
        new = [end for e in serving for end in e.ends_s if end == self.now_s + self.lasts_s]
        for engine in serving:
            engine.ends_s = [end for end in engine.ends_s if end != self.now_s + self.lasts_s]
        for end in new:
            min(serving, key=lambda e: len(e.ends_s)).ends_s.append(end)

    def _carry_out(self, action: Action, judge: Judge) -> None:
        if isinstance(action, Load) and action.is_copy:
            self._judge_copy(action)
            judge.starts(action, action.device_ids, action.reserve_bytes)
            judge.touched.update(action.device_ids)
            self.copied += 1
            self.engines[f"{action.model}.{self.copied}"] = self._begun(action)
        else:
            super()._carry_out(action, judge)

    def _tell(self, action: Unload | Sleep | Wake, judge: Judge) -> None:
        if not isinstance(action, Unload) or not action.copy_id:
            super()._tell(action, judge)
            if self.models[action.model].keep_alive_s is None and not self.advice:
                self._is_needed(action, "copy_displaces")
            return
        engine = self.engines[action.copy_id]
        if not judge.touched.isdisjoint(engine.devices):
            raise Broken("one_at_a_time", action)
        crowd = self.crowds.get(action.model)
        surplus = len(self.of(action.model)) > self.policy.max_engines
        if not surplus and not (crowd and crowd.calm_for_s() >= self.policy.drop_copy_after_s):
            self._is_needed(action, "copy_kept")
        judge.touched.update(engine.devices)
        self._stop(engine)

    def _is_needed(self, order: Unload | Sleep | Wake, rule: str) -> None:
        """Somebody waits, or it must go."""
        model = self.models[order.model]
        old = any(map(self.is_old, self.of(order.model).values()))
        if not (model.unload_asked or old or self._somebody_waits()):
            raise Broken(rule, order)

    def _judge_copy(self, load: Load) -> None:
        engines, (device,) = self.of(load.model), load.device_ids
        if any(e.state is not ModelState.LOADED for e in engines.values()) or not engines:
            raise Broken("single_flight", load)
        if self.is_old(self.engines[load.model]):
            return  # it is to replace that one
        if len(engines) >= self.policy.max_engines:
            raise Broken("copy_maximum", load)
        if any(device in e.devices for e in engines.values()):
            raise Broken("copy_elsewhere", load)
        if self._somebody_waits():
            raise Broken("copy_last", load)

    def _somebody_waits(self) -> bool:
        """For memory, or pinned without having it."""
        return any(
            (model.waits_s or model.pinned) and name not in self.engines
            for name, model in self.models.items()
        )


sizes = st.integers(1, 5).map(lambda n: n * GIB)
few = st.lists(st.builds(Model, size=sizes, takes_s=st.integers(1, 3)), min_size=1, max_size=4)
rooms = st.lists(
    st.builds(Place, total=st.integers(3, 5).map(lambda n: n * GIB)), min_size=2, max_size=3
)


class CopyingMachine(FleetMachine):
    """Floods that bring copies, with all that may happen to a fleet."""

    @initialize(models=few, places=rooms)
    def begin(self, models: list[Model], places: list[Place]) -> None:
        named = dict(zip(NAMES, models, strict=False))
        self.fleet = Copying(named, dict(zip(DEVICES, places, strict=False)))

    @rule(number=numbers, seconds=st.integers(5, 30), then=some_numbers)
    def crowd_one(self, number: int, seconds: int, then: set[int]) -> None:
        """Whoever asks then finds copies where it would be."""
        self.fleet.lasts_s = 4
        for second in range(seconds):
            for name in self._models(then if second % 5 == 4 else []):
                self.fleet.ask(name)
            for name in self._models([number]):
                self.fleet.ask(name, 6)
            self._pass(1)

    @rule(most=st.integers(1, 3))
    def apply(self, most: int) -> None:
        self.fleet.policy = replace(self.fleet.policy, max_engines=most)

    def _engine(self, number: int) -> list[str]:
        """By its model: rules that look for the engine find the first."""
        return [name.rpartition(".")[0] or name for name in super()._engine(number)]

    @rule(number=numbers)
    def crash(self, number: int) -> None:
        """Any of them."""
        for key in FleetMachine._engine(self, number):
            self.fleet.fail(key)
        self._pass(1)
