"""Whatever may happen to a fleet, at random."""

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import ModelState
from modelium.core.snapshot import SleepView
from tests.properties.fleet import Fleet
from tests.properties.fleet_parts import GIB, Model, Place

NAMES = tuple(f"m{number}" for number in range(5))
DEVICES = ("d0", "d1", "d2", "d3")
numbers = st.integers(0, len(NAMES) - 1)
some_numbers = st.sets(numbers)
said = (*DecidedAction, DecidedAction.EVICT, DecidedAction.EVICT, DecidedAction.LOAD)
nonsense = st.dictionaries(numbers, st.sampled_from(said), max_size=len(NAMES))
models = st.builds(
    Model,
    size=st.integers(1, 3).map(lambda n: n * GIB),
    takes_s=st.integers(1, 4),
    pinned=st.sampled_from([False, False, False, True]),
)
places = st.builds(Place, total=st.integers(3, 5).map(lambda n: n * GIB))
kept = st.sampled_from([GIB // 16, GIB // 2])


def _asleep(level: int, kept: int, takes_s: int) -> SleepView:
    """In host memory it takes as many bytes as it has of weights, and is back sooner."""
    return SleepView(level, 0.25, 1.0 if level == 1 else 2.0, kept, 2 * GIB if level == 1 else 0)


def _sleepers(model: Model, levels: set[int], kept: int) -> Model:
    model.sleeps = tuple(_asleep(level, kept, model.takes_s) for level in sorted(levels))
    return model


sleepers = st.builds(
    _sleepers,
    st.builds(
        Model,
        size=st.integers(1, 3).map(lambda n: n * GIB),
        takes_s=st.integers(4, 8),
        pinned=st.sampled_from([False, False, False, True]),
    ),
    st.sets(st.integers(1, 2)),
    kept,
)
spanning = st.builds(
    _sleepers,
    st.builds(
        Model,
        size=st.integers(1, 8).map(lambda n: n * GIB),
        takes_s=st.integers(2, 6),
        spans=st.booleans(),
    ),
    st.sets(st.integers(1, 2)),
    kept,
)
shared_places = st.builds(
    Place, total=st.integers(3, 5).map(lambda n: n * GIB), agent=st.sampled_from(["a", "b"])
)


class FleetMachine(RuleBasedStateMachine):
    """The fleet judges each second; engines and models are chosen by number, whoever is there."""

    fleet: Fleet

    @initialize(
        models=st.lists(models, min_size=2, max_size=len(NAMES)),
        places=st.lists(places, min_size=1, max_size=3),
    )
    def begin(self, models: list[Model], places: list[Place]) -> None:
        named = dict(zip(NAMES, models, strict=False))
        self.fleet = Fleet(named, dict(zip(DEVICES, places, strict=False)))

    @rule(some=some_numbers, count=st.integers(1, 4), lasts_s=st.integers(1, 9))
    def requests(self, some: set[int], count: int, lasts_s: int) -> None:
        self.fleet.lasts_s = lasts_s
        for name in self._models(some):
            self.fleet.ask(name, count)
        self._pass(1)

    @rule(seconds=st.integers(1, 20))
    def nothing(self, seconds: int) -> None:
        self._pass(seconds)

    @rule(
        once=some_numbers,
        hot=some_numbers,
        each=st.integers(1, 3),
        lasts_s=st.integers(1, 9),
        seconds=st.integers(5, 150),
    )
    def flood(self, once: set[int], hot: set[int], each: int, lasts_s: int, seconds: int) -> None:
        self.fleet.lasts_s = lasts_s
        for name in self._models(once - hot):
            self.fleet.ask(name)
        for _ in range(seconds):
            for name in self._models(hot):
                self.fleet.ask(name, each)
            self._pass(1)

    @rule(number=numbers)
    def crash(self, number: int) -> None:
        for name in self._engine(number):
            self.fleet.fail(name)
        self._pass(1)

    @rule(number=numbers, late_s=st.integers(1, 20))
    def load_or_unload_slowly(self, number: int, late_s: int) -> None:
        for name in self._engine(number):
            engine = self.fleet.engines[name]
            if engine.state in (ModelState.LOADING, ModelState.UNLOADING):
                engine.ready_s += late_s
                engine.drained_by_s += late_s
                self._disturbed(late_s)

    @rule(number=numbers)
    def unload_by_operator(self, number: int) -> None:
        for name in self._engine(number):
            self.fleet.models[name].unload_asked = True
            self._disturbed(1)

    @rule(number=numbers)
    def replace_files(self, number: int) -> None:
        for name in self._engine(number):
            self.fleet.models[name].files += 1
            self._disturbed(1)

    @rule(number=numbers, pinned=st.booleans())
    def pin(self, number: int, pinned: bool) -> None:
        for name in self._models([number]):
            self.fleet.models[name].pinned = pinned
            self._disturbed(1)

    @rule(number=numbers, keep_alive_s=st.sampled_from([None, -1.0, 0.0, 3.0]))
    def keep_alive(self, number: int, keep_alive_s: float | None) -> None:
        for name in self._models([number]):
            self.fleet.models[name].keep_alive_s = keep_alive_s
        self._pass(1)

    @rule(
        devices=st.sets(st.sampled_from(DEVICES), min_size=1),
        outside=st.integers(0, 5),
        lie=st.integers(-3, 3),
        wanted=some_numbers,
        seconds=st.integers(1, 150),
    )
    def misreport(
        self, devices: set[str], outside: int, lie: int, wanted: set[int], seconds: int
    ) -> None:
        places = [self.fleet.places[d] for d in devices & self.fleet.places.keys()]
        for place in places:
            place.outside, place.lie = outside * GIB, lie * GIB
        for name in self._models(wanted):
            self.fleet.ask(name)
        self._pass(seconds)
        for place in places:
            place.outside = place.lie = 0
        self.fleet.disturb()

    @rule(said=nonsense, insists=st.booleans())
    def advise(self, said: dict[int, DecidedAction], insists: bool) -> None:
        self.fleet.insists, self.fleet.advised_s = insists, self.fleet.now_s
        self.fleet.advice = tuple(
            Decision(model=NAMES[number], action=action, reason="nonsense")
            for number, action in said.items()
        )

    def _models(self, some: Iterable[int]) -> list[str]:
        here = list(self.fleet.models)
        return sorted({here[number % len(here)] for number in some})

    def _engine(self, number: int) -> list[str]:
        """One of those that are there, if any is."""
        here = sorted(self.fleet.engines)
        return [here[number % len(here)]] if here else []

    def _disturbed(self, seconds: int) -> None:
        for _ in range(seconds):
            self.fleet.disturb()
            self._pass(1)
        self.fleet.disturb()

    def _pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self.fleet.step()


class SleepingFleetMachine(FleetMachine):
    """Engines can sleep, some in host memory, of which there is not enough for all."""

    @initialize(
        models=st.lists(sleepers, min_size=2, max_size=len(NAMES)),
        places=st.lists(places, min_size=1, max_size=2),
        host=st.integers(1, 5),
    )
    def begin(  # type: ignore[override]
        self, models: list[Model], places: list[Place], host: int
    ) -> None:
        named = dict(zip(NAMES, models, strict=False))
        here = dict(zip(DEVICES, places, strict=False))
        self.fleet = Fleet(named, here, {"local": host * GIB})

    @rule(number=numbers)
    def sleep_by_operator(self, number: int) -> None:
        for name in self._engine(number):
            if self.fleet.engines[name].state is ModelState.LOADED:
                self.fleet.models[name].sleep_asked = True
                self._disturbed(1)


class SpanningFleetMachine(FleetMachine):
    """Models that no device can hold alone, on two agents with several devices."""

    @initialize(
        models=st.lists(spanning, min_size=2, max_size=len(NAMES)),
        places=st.lists(shared_places, min_size=2, max_size=4),
        hosts=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    )
    def begin(  # type: ignore[override]
        self, models: list[Model], places: list[Place], hosts: tuple[int, int]
    ) -> None:
        named = dict(zip(NAMES, models, strict=False))
        here = {f"d{number}": place for number, place in enumerate(places)}
        memory = {name: host * GIB for name, host in zip("ab", hosts, strict=True)}
        self.fleet = Fleet(named, here, memory)


class NarrowFleetMachine(FleetMachine):
    """Models of which no two fit, with one device."""

    @initialize(takes_s=st.lists(st.integers(1, 4), min_size=2, max_size=3))
    def begin(self, takes_s: list[int]) -> None:  # type: ignore[override]
        models = [Model(size=3 * GIB, takes_s=each) for each in takes_s]
        self.fleet = Fleet(dict(zip(NAMES, models, strict=False)), {"d0": Place(total=5 * GIB)})


class MixedFleetMachine(FleetMachine):
    """One model that needs a whole device, and small ones that take turns there."""

    @initialize(takes_s=st.lists(st.integers(1, 4), min_size=4, max_size=4))
    def begin(self, takes_s: list[int]) -> None:  # type: ignore[override]
        sizes = [5 * GIB] + [2 * GIB] * len(takes_s)
        models = [Model(size=size, takes_s=s) for size, s in zip(sizes, takes_s, strict=False)]
        self.fleet = Fleet(dict(zip(NAMES, models, strict=False)), {"d0": Place(total=5 * GIB)})


class CrowdedFleetMachine(FleetMachine):
    """Two devices for one model each, and host memory in which one of them can sleep."""

    @initialize(takes_s=st.lists(st.integers(4, 8), min_size=4, max_size=4))
    def begin(self, takes_s: list[int]) -> None:  # type: ignore[override]
        asleep = (_asleep(1, GIB // 2, 0),)
        models = [Model(size=3 * GIB, takes_s=each, sleeps=asleep) for each in takes_s]
        places = {name: Place(total=4 * GIB) for name in ("d0", "d1")}
        self.fleet = Fleet(dict(zip(NAMES, models, strict=False)), places, {"local": 2 * GIB})

    @rule(hot=some_numbers, seconds=st.integers(1, 20))
    def pin_what_sleeps(self, hot: set[int], seconds: int) -> None:
        """While others are used so much that it finds no room to wake."""
        for name, engine in list(self.fleet.engines.items()):
            if engine.state is ModelState.SLEEPING:
                self.fleet.models[name].pinned = True
        for _ in range(seconds):
            for name in self._models(hot):
                self.fleet.ask(name)
            self._disturbed(1)
