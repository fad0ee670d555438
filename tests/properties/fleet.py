"""Devices, engines, requests and a clock that `decide` runs, and that judges it by what is true.

One `step` is a second. What fails, lies or is asked for is up to the caller; whatever breaks a
rule raises `Broken` with its name. A wait that nothing disturbed must end in a load that serves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from modelium.common.figures import Decision
from modelium.common.records import Device, DeviceKind, ModelState
from modelium.core.actions import Action, Load, Queue, Unload
from modelium.core.bound import wait_bounds_s
from modelium.core.decide import decide
from modelium.core.ledger import Holding, free_bytes
from modelium.core.policy import Policy
from modelium.core.snapshot import DeviceView, ModelView, Snapshot

GIB = 1 << 30
POLICY = Policy(
    min_residency_s=4, displace_after_s=3, unknown_load_s=4, drain_deadline_s=4, stop_s=2
)
BACK_OFF_S = 5


class Broken(AssertionError):
    """A rule did not hold."""

    def __init__(self, rule: str, what: object) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


@dataclass
class Engine:
    """What an agent runs; times are the fleet's seconds."""

    model: str
    device: str
    size: int
    ready_s: int
    state: ModelState = ModelState.LOADING
    loaded_s: int | None = None
    drained_by_s: int = 0
    ends_s: list[int] = field(default_factory=list)
    """When each of its requests ends."""

    @property
    def resident(self) -> int:
        """What it has taken so far of what it may take at any time."""
        return 0 if self.state is ModelState.LOADING else self.size // 2


@dataclass
class Model:
    """A model, and who waits for it since when."""

    size: int
    takes_s: int
    waits_s: list[int] = field(default_factory=list)
    last_s: int | None = None
    load_s: float | None = None
    retry_s: int = 0
    pinned: bool = False
    stale: bool = False
    unload_asked: bool = False
    keep_alive_s: float | None = None


@dataclass
class Place:
    """A device; `outside` is what others hold of it, `lie` what its driver adds to the truth."""

    total: int
    outside: int = 0
    lie: int = 0


@dataclass
class Fleet:
    """`disturbed_s` is when something last went otherwise than the bound counts on."""

    models: dict[str, Model]
    places: dict[str, Place]
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
    decided: int = 0

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
        self.decided += 1
        commanded: set[str] = set()
        for action in actions:
            self._carry_out(action, commanded)
        self._judge_waits(seen, actions)

    def snapshot(self) -> Snapshot:
        """As an orchestrator sees it."""
        devices = tuple(self._device(name, place) for name, place in self.places.items())
        return Snapshot(tuple(self._model(name) for name in self.models), devices)

    def held(self, place: str) -> int:
        """What engines hold there in truth, drained ones included."""
        return sum(engine.size for engine in self.engines.values() if engine.device == place)

    def _go_on(self, engine: Engine) -> None:
        model = self.models[engine.model]
        engine.ends_s = [end_s for end_s in engine.ends_s if end_s > self.now_s]
        if engine.state is ModelState.LOADING and self.now_s >= engine.ready_s:
            engine.state, engine.loaded_s = ModelState.LOADED, self.now_s
            model.load_s = float(model.takes_s)
        if engine.state is ModelState.LOADED and model.waits_s:
            self.longest_s = max(self.longest_s, self.now_s - model.waits_s[0])
            engine.ends_s += [self.now_s + self.lasts_s] * len(model.waits_s)
            model.waits_s.clear()
        if engine.ends_s:
            model.last_s = self.now_s
        late = self.now_s >= engine.drained_by_s
        if engine.state is ModelState.UNLOADING and (late or not engine.ends_s):
            del self.engines[engine.model]
            model.stale = model.unload_asked = False

    def _device(self, name: str, place: Place) -> DeviceView:
        mine = [e for e in self.engines.values() if e.device == name]
        held = [
            Holding(e.model, name, e.size, e.resident, starting=e.state is ModelState.LOADING)
            for e in mine
        ]
        shown = place.total - place.outside + place.lie
        shown -= sum(e.resident for e in mine)
        reported = Device(
            device_id=name,
            kind=DeviceKind.CPU,
            name=name,
            total_bytes=place.total,
            free_bytes=max(0, shown),
        )
        return DeviceView(
            name, "local", DeviceKind.CPU, name, place.total, free_bytes(reported, held)
        )

    def _model(self, name: str) -> ModelView:
        model, engine = self.models[name], self.engines.get(name)
        seen = ModelView(
            model=name,
            state=ModelState.UNLOADED,
            needed={DeviceKind.CPU: model.size},
            pinned=model.pinned,
            waiting=len(model.waits_s),
            wanted_for_s=float(self.now_s - model.waits_s[0]) if model.waits_s else None,
            idle_s=None if model.last_s is None else float(self.now_s - model.last_s),
            retry_in_s=float(max(0, model.retry_s - self.now_s)),
            load_s=model.load_s,
            keep_alive_s=model.keep_alive_s,
        )
        if engine is None:
            return seen
        loaded_s = engine.loaded_s
        return replace(
            seen,
            state=engine.state,
            device_ids=(engine.device,),
            held_bytes=engine.size,
            in_flight=len(engine.ends_s),
            loaded_for_s=None if loaded_s is None else float(self.now_s - loaded_s),
            stale_files=model.stale,
            unload_requested=model.unload_asked,
        )

    def _carry_out(self, action: Action, commanded: set[str]) -> None:
        if isinstance(action, Load):
            self._judge_load(action, commanded)
            model, (device,) = self.models[action.model], action.device_ids
            commanded.add(device)
            ready_s = self.now_s + model.takes_s
            self.engines[action.model] = Engine(action.model, device, model.size, ready_s)
        elif isinstance(action, Unload):
            engine = self.engines.get(action.model)
            if engine is None:
                raise Broken("stops_what_runs", action)
            self._judge_unload(action, engine, commanded)
            commanded.add(engine.device)
            engine.state = ModelState.UNLOADING
            engine.drained_by_s = self.now_s + int(self.policy.drain_deadline_s)

    def _judge_load(self, load: Load, commanded: set[str]) -> None:
        (device,) = load.device_ids
        place = self.places[device]
        if load.model in self.engines:
            raise Broken("single_flight", load)
        if device in commanded or self._changing(device):
            raise Broken("one_at_a_time", load)
        if self.held(device) + load.reserve_bytes > place.total:
            raise Broken("ledger", load)
        if self.held(device) + place.outside + load.reserve_bytes > place.total + place.lie:
            raise Broken("driver", load)
        if self.models[load.model].retry_s > self.now_s:
            raise Broken("back_off", load)

    def _judge_unload(self, unload: Unload, engine: Engine, commanded: set[str]) -> None:
        model = self.models[unload.model]
        cancelled = model.unload_asked and engine.state is ModelState.LOADING
        if model.pinned and not model.stale:
            raise Broken("pinned", unload)
        if engine.device in commanded or (self._changing(engine.device) and not cancelled):
            raise Broken("one_at_a_time", unload)
        if model.unload_asked or model.stale:
            return
        loaded_for_s = self.now_s - (engine.loaded_s or 0)
        kept = model.keep_alive_s is not None and not engine.ends_s
        if loaded_for_s < self.policy.min_residency_s and not kept:
            raise Broken("residency", unload)
        if engine.ends_s and not self._somebody_may_displace(len(engine.ends_s)):
            raise Broken("in_use", unload)

    def _somebody_may_displace(self, served: int) -> bool:
        """Somebody whose wait is long, or with as many requests as lose their engine."""
        return any(
            model.waits_s
            and name not in self.engines
            and (
                self.now_s - model.waits_s[0] >= self.policy.displace_after_s
                or max(1, len(model.waits_s)) >= served
            )
            for name, model in self.models.items()
        )

    def _changing(self, device: str) -> bool:
        changing = (ModelState.LOADING, ModelState.UNLOADING)
        return any(e.state in changing and e.device == device for e in self.engines.values())

    def _judge_waits(self, seen: Snapshot, actions: Sequence[Action]) -> None:
        refused = {a.model for a in actions if isinstance(a, Queue) and a.never}
        told = refused | {a.model for a in actions}
        bounds_s = wait_bounds_s(seen, self.policy)
        for name, model in self.models.items():
            if not model.waits_s or model.retry_s > self.now_s:
                continue
            if name not in told and name not in self.engines:
                raise Broken("told", name)
            if name in refused:
                self._judge_refusal(name)
                model.waits_s.clear()
            elif self.now_s - model.waits_s[0] > bounds_s[name] + 1 and not self._loads(name):
                raise Broken("bound", name)

    def _loads(self, name: str) -> bool:
        """A load under way ends by its own deadline."""
        return name in self.engines and self.engines[name].state is ModelState.LOADING

    def _judge_refusal(self, name: str) -> None:
        model = self.models[name]
        roomy = (model.size <= p.total - self._pinned(d) for d, p in self.places.items())
        if any(roomy) and model.waits_s[0] > self.disturbed_s:
            raise Broken("served", f"{name} was refused after {self.now_s - model.waits_s[0]} s")

    def _pinned(self, device: str) -> int:
        return sum(e.size for e in self._pinned_on(device))

    def _pinned_on(self, device: str) -> Iterable[Engine]:
        return (
            e for e in self.engines.values() if e.device == device and self.models[e.model].pinned
        )
