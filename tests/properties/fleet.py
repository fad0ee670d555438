"""Devices, engines, requests and a clock that `decide` runs, and that judges it by what is true.

One `step` is a second. What fails, lies or is asked for is up to the caller; whatever breaks a
rule raises `Broken` with its name. A wait that nothing disturbed must end in a load that serves.
"""

import math
from dataclasses import dataclass, field

from modelium.common.figures import Decision
from modelium.common.records import ModelState
from modelium.core.actions import Action, Load, Queue, Sleep, Unload, Wake
from modelium.core.decide import decide
from modelium.core.policy import Policy
from modelium.core.snapshot import Snapshot
from tests.properties.fleet_judge import Judge
from tests.properties.fleet_parts import POLICY, Broken, Engine, Model, Place
from tests.properties.fleet_view import device_view, host_view, model_view

BACK_OFF_S = 5


@dataclass
class Fleet:
    """`disturbed_s` is when something last went otherwise than the bound counts on."""

    models: dict[str, Model]
    places: dict[str, Place]
    hosts: dict[str, int] = field(default_factory=dict)
    """Agent to the memory in which its engines may sleep; none: they cannot."""
    policy: Policy = POLICY
    engines: dict[str, Engine] = field(default_factory=dict)
    now_s: int = 0
    lasts_s: int = 1
    disturbed_s: int = -1
    advice: tuple[Decision, ...] = ()
    advised_s: int = 0
    insists: bool = False
    """The advice is given anew each second."""
    longest_s: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    """Kind of action to how many there were."""

    def ask(self, model: str, count: int = 1) -> None:
        """Requests arrive; one for a model that backs off is refused."""
        if self.models[model].retry_s <= self.now_s:
            self.models[model].waits_s += [self.now_s] * count

    def disturb(self) -> None:
        """From now on those who wait may have to be refused."""
        self.disturbed_s = self.now_s

    def fail(self, model: str) -> None:
        """Its engine is gone, with everybody it served."""
        if self.engines.pop(model, None):
            self.disturb()
            self.models[model].retry_s = self.now_s + BACK_OFF_S
            self.models[model].waits_s.clear()

    def step(self) -> None:
        """A second goes by: engines go on, then one decision is made and carried out."""
        self.now_s += 1
        if any(place.outside or place.lie for place in self.places.values()):
            self.disturb()
        for engine in list(self.engines.values()):
            self._go_on(engine)
        seen = self.snapshot()
        age_s = 0.0 if self.insists else float(self.now_s - self.advised_s)
        actions = decide(seen, self.advice, self.policy, advice_age_s=age_s)
        judge = Judge(self)
        for action in actions:
            self._carry_out(action, judge)
        judge.waits(seen, actions)

    def snapshot(self) -> Snapshot:
        """As an orchestrator sees it."""
        engines = self.engines.values()
        memory = {name: self.hosts.get(place.agent, 0) for name, place in self.places.items()}
        return Snapshot(
            models=tuple(
                model_view(name, model, self.engines.get(name), self.now_s, memory)
                for name, model in self.models.items()
            ),
            devices=tuple(device_view(name, p, engines) for name, p in self.places.items()),
            hosts=tuple(host_view(a, total, self.slept_in(a)) for a, total in self.hosts.items()),
        )

    def held(self, place: str) -> int:
        """What engines hold there in truth, drained ones included."""
        return sum(engine.holds for engine in self.engines.values() if place in engine.devices)

    def slept_in(self, agent: str) -> int:
        """What those that sleep have taken of an agent's memory, or were promised."""
        return sum(
            engine.host_bytes
            for engine in self.engines.values()
            if self.places[engine.devices[0]].agent == agent
        )

    def changing(self, device: str) -> bool:
        """Whether an engine there is being started, stopped, woken or put to sleep."""
        return any(e.changing and device in e.devices for e in self.engines.values())

    def is_old(self, engine: Engine) -> bool:
        """Whether its model's files were replaced since."""
        return engine.files != self.models[engine.model].files

    def serves(self, model: str) -> bool:
        """Whether it has an engine that does not sleep."""
        engine = self.engines.get(model)
        return engine is not None and engine.state is not ModelState.SLEEPING

    def _go_on(self, engine: Engine) -> None:
        model = self.models[engine.model]
        engine.ends_s = [end_s for end_s in engine.ends_s if end_s > self.now_s]
        if engine.state is ModelState.LOADING and self.now_s >= engine.ready_s:
            model.load_s = float(model.takes_s) if engine.sleep is None else model.load_s
            engine.state, engine.loaded_s, engine.sleep = ModelState.LOADED, self.now_s, None
        if engine.state is ModelState.LOADED and model.waits_s:
            self.longest_s = max(self.longest_s, self.now_s - model.waits_s[0])
            engine.ends_s += [self.now_s + self.lasts_s] * len(model.waits_s)
            model.waits_s.clear()
        if engine.ends_s:
            model.last_s = self.now_s
        if engine.state is ModelState.UNLOADING:
            self._drain(engine, model)

    def _drain(self, engine: Engine, model: Model) -> None:
        """Whoever is served still at the deadline is cut off."""
        if engine.ends_s and self.now_s < engine.drained_by_s:
            return
        engine.ends_s.clear()
        if engine.sleep is None:
            del self.engines[engine.model]
            model.unload_asked = model.sleep_asked = False
        elif engine.falls_asleep_s is None:
            engine.falls_asleep_s = self.now_s + math.ceil(engine.sleep.sleep_s)
        elif self.now_s >= engine.falls_asleep_s:
            engine.state, engine.falls_asleep_s = ModelState.SLEEPING, None

    def _carry_out(self, action: Action, judge: Judge) -> None:
        kind = type(action).__name__
        self.seen[kind] = self.seen.get(kind, 0) + 1
        match action:
            case Queue():
                judge.queue(action)
            case Load(is_copy=True):
                judge.replaces(action)
                self._replace(action)
                judge.touched.update(action.device_ids)
            case Load():
                judge.load(action)
                self._load(action)
                judge.touched.update(action.device_ids)
            case _:
                self._tell(action, judge)

    def _load(self, load: Load) -> None:
        self.engines[load.model] = self._begun(load)

    def _begun(self, load: Load) -> Engine:
        model = self.models[load.model]
        ready_s = self.now_s + model.takes_s
        return Engine(load.model, load.device_ids, load.reserve_bytes, ready_s, model.files)

    def _replace(self, load: Load) -> None:
        """At once; `copies.py` lets it take its time."""
        old, new = self.engines[load.model], self._begun(load)
        new.state, new.loaded_s, new.ends_s = ModelState.LOADED, self.now_s, old.ends_s
        self.engines[load.model] = new

    def _tell(self, action: Unload | Sleep | Wake, judge: Judge) -> None:
        engine = self.engines.get(action.model)
        if engine is None:
            raise Broken("tells_what_runs", action)
        match action:
            case Wake():
                judge.wake(action)
                assert engine.sleep is not None  # it sleeps
                self.models[action.model].sleep_asked = False
                engine.state = ModelState.LOADING
                engine.ready_s = self.now_s + math.ceil(engine.sleep.wake_s)
            case Sleep(level=level):
                judge.sleep(action, engine)
                ways = self.models[action.model].sleeps
                engine.sleep = next(way for way in ways if way.level == level)
                self._stop(engine)
            case Unload():
                judge.unload(action, engine)
                engine.sleep = None
                self._stop(engine)
        judge.touched.update(engine.devices)

    def _stop(self, engine: Engine) -> None:
        engine.state = ModelState.UNLOADING
        engine.drained_by_s = self.now_s + int(self.policy.drain_deadline_s)
