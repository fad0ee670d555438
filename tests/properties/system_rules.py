"""What may happen between the orchestrator, the hosts and the gateway, at random.

Each class adds what one of them does; `system_machine.py` makes machines of them.
"""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from modelium.common import events as ev
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.load_settings import Settings
from modelium.common.records import Device, FailureKind, ModelRecord
from modelium.common.testing import a_descriptor, a_device
from modelium.core.digest import digest_of_tick
from tests.properties.system import System
from tests.properties.unruly import Host
from tests.unit.orchestrator.rig import VLLM, a_model
from tests.unit.orchestrator.scripted import GB

NAMES = ("a", "b", "c", "d")
numbers = st.integers(0, 3)
some_numbers = st.sets(numbers)
said = (*DecidedAction, DecidedAction.EVICT, DecidedAction.EVICT, DecidedAction.LOAD)
nonsense = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(said), max_size=4)
POLICIES = {
    "min_residency_seconds": 4,
    "displace_after_seconds": 3,
    "drain_deadline_seconds": 6,
}


def a_sized_model(number: int, size: int) -> ModelRecord:
    """Needs `size` gigabytes, two of them beside its weights."""
    descriptor = a_descriptor(dtype="F32", weight_bytes=(size - 2) * GB, kv_bytes_per_token=0)
    return a_model(NAMES[number], descriptor=descriptor, fingerprint=f"f{number}")


def a_host(number: int, totals: list[int]) -> list[Device]:
    return [
        a_device(device_id=f"h{number}-{i}", total_bytes=total * GB, free_bytes=total * GB)
        for i, total in enumerate(totals)
    ]


def some_settings(pinned: list[str], **more: int) -> Settings:
    policies = {**POLICIES, **more, "always_loaded": pinned}
    return Settings.model_validate(
        {"vllm": VLLM, "orchestration": {"policies": policies, "decision_interval_seconds": 5}}
    )


class Begun(RuleBasedStateMachine):
    """Models, hosts and engines are chosen by number, whoever is there."""

    system: System | None = None
    kind: type[System] = System

    @initialize(
        sizes=st.lists(st.integers(3, 5), min_size=2, max_size=4),
        hosts=st.lists(st.lists(st.integers(4, 9), min_size=1, max_size=2), min_size=1, max_size=2),
        pinned=st.booleans(),
    )
    def begin(self, sizes: list[int], hosts: list[list[int]], pinned: bool) -> None:
        self.start(sizes, hosts, pinned=pinned)

    def start(
        self, sizes: list[int], hosts: list[list[int]], *, pinned: bool, **policies: int
    ) -> None:
        """Models of these gigabytes, and hosts with such devices."""
        models = [a_sized_model(number, size) for number, size in enumerate(sizes)]
        devices = [a_host(number, totals) for number, totals in enumerate(hosts)]
        settings = some_settings([NAMES[0]] if pinned else [], **policies)
        self.system = self.kind(models, devices, settings)

    def teardown(self) -> None:
        if self.system is not None:
            self.system.close()

    @property
    def here(self) -> System:
        assert self.system is not None
        return self.system

    def _ask(self, some: set[int], count: int) -> None:
        models = len(self.here.loop.run_until_complete(self.here.records()))
        for number in sorted({number % models for number in some}):
            self.here.run(self.here.front.ask(NAMES[number], count))

    def _host(self, number: int) -> Host:
        return self.here.hosts[number % len(self.here.hosts)]

    def _disturbed(self, seconds: int) -> None:
        for _ in range(seconds):
            self.here.judge.disturbed()
            self.here.seconds(1)
        self.here.judge.disturbed()


class Clients(Begun):
    """They ask."""

    @rule(once=some_numbers, count=st.integers(1, 3), lasts_s=st.integers(1, 12))
    def requests(self, once: set[int], count: int, lasts_s: int) -> None:
        self.here.front.lasts_s = lasts_s
        self._ask(once, count)
        self.here.seconds(1)

    @rule(
        once=some_numbers,
        hot=some_numbers,
        each=st.integers(1, 3),
        lasts_s=st.integers(1, 12),
        seconds=st.integers(5, 40),
    )
    def flood(self, once: set[int], hot: set[int], each: int, lasts_s: int, seconds: int) -> None:
        self.here.front.lasts_s = lasts_s
        self._ask(once - hot, 1)
        for _ in range(seconds):
            self._ask(hot, each)
            self.here.seconds(1)

    @rule(seconds=st.integers(1, 15))
    def nothing(self, seconds: int) -> None:
        self.here.seconds(seconds)


class Absence(Begun):
    """Hosts go and come back."""

    @rule(
        number=numbers,
        seconds=st.integers(1, 80),
        forgets=st.booleans(),
        once=some_numbers,
        back=some_numbers,
        deaf_s=st.integers(0, 3),
        leave=st.booleans(),
    )
    def lose_a_host(
        self,
        number: int,
        seconds: int,
        forgets: bool,
        once: set[int],
        back: set[int],
        deaf_s: int,
        leave: bool,
    ) -> None:
        """Whoever is back is heard at once, and hears what was commanded a little later.

        Clients may have left meanwhile.
        """
        host = self._host(number)
        self.here.run(self.here.disconnect(host))
        self._ask(once, 1)
        self._disturbed(seconds)
        if forgets:
            host.ended.clear()
        if leave:
            self.here.front.waits_s.clear()
        host.up = True
        self._ask(back, 1)
        self._disturbed(deaf_s)
        self.here.connect(host)
        self._disturbed(1)


class Hosts(Begun):
    """They fail, are slow and lie."""

    @rule(number=numbers)
    def crash_an_engine(self, number: int) -> None:
        engines = [(h, i) for h in self.here.hosts for i, p in h.processes.items() if p.holds]
        if engines:
            host, instance_id = engines[number % len(engines)]
            host.crash(instance_id)
        self._disturbed(1)

    @rule(number=numbers, kind=st.sampled_from([FailureKind.OUT_OF_MEMORY, FailureKind.CRASHED]))
    def fail_the_next_load(self, number: int, kind: FailureKind) -> None:
        self._host(number).fails = kind
        self._disturbed(1)

    @rule(number=numbers, takes_s=st.integers(1, 30), seconds=st.integers(1, 30))
    def load_and_unload_slowly(self, number: int, takes_s: int, seconds: int) -> None:
        host = self._host(number)
        usual = host.takes_s, host.stops_s
        host.takes_s = host.stops_s = float(takes_s)
        self._disturbed(seconds)
        host.takes_s, host.stops_s = usual

    @rule(number=numbers, count=st.integers(1, 2))
    def forget_commands(self, number: int, count: int) -> None:
        self._host(number).forgets = count
        self._disturbed(1)

    @rule(number=numbers, repeats=st.booleans())
    def repeat(self, number: int, repeats: bool) -> None:
        self._host(number).repeats = repeats

    @rule(number=numbers, seconds=st.integers(1, 20))
    def delay_facts(self, number: int, seconds: int) -> None:
        self._host(number).late = True
        self._disturbed(seconds)
        self._host(number).late = False
        self._disturbed(1)

    @rule(number=numbers, which=st.integers(0, 40))
    def repeat_an_old_fact(self, number: int, which: int) -> None:
        host = self._host(number)
        if host.said:
            old = host.said[which % len(host.said)]
            repeated = old.model_copy(update={"message_id": f"old-{len(self.here.bus.published)}"})
            self.here.run(self.here.bus.publish(repeated))
        self._disturbed(1)

    @rule(number=numbers, lie=st.sampled_from([0.0, 0.5, 1.0, 1.3]), outside=st.integers(0, 4))
    def misreport(self, number: int, lie: float, outside: int) -> None:
        host = self._host(number)
        host.lie, host.outside_bytes = lie, outside * GB
        self._disturbed(3)
        host.outside_bytes = 0


class Others(Begun):
    """Brain and operator say what they want, the orchestrator is restarted and misses messages."""

    @rule(said=nonsense)
    def advise(self, said: dict[str, DecidedAction]) -> None:
        ticks = self.here.bus.of(ev.MetricsTick)
        if not ticks:
            return
        tick = ticks[-1]
        assert isinstance(tick, ev.MetricsTick)
        decisions = tuple(
            Decision(model=name, action=action, reason="nonsense", refused=True)
            for name, action in said.items()
        )
        nonsense = ev.DecisionMade(
            origin="brain",
            source=DecisionSource.LLM,
            inputs_digest=digest_of_tick(tick),
            decisions=decisions,
        )
        self.here.run(self.here.bus.publish(nonsense))
        self.here.seconds(1)

    @rule(number=numbers)
    def unload_by_operator(self, number: int) -> None:
        request = ev.ModelUnloadRequested(
            model=NAMES[number], requested_by="operator", occurred_at=self.here.clock.now()
        )
        self.here.run(self.here.bus.publish(request))
        self._disturbed(1)

    @rule(away_s=st.integers(0, 20))
    def restart_the_orchestrator(self, away_s: int) -> None:
        self.here.run(self.here.kill_orchestrator())
        self._disturbed(away_s)
        self.here.start_orchestrator()
        self._disturbed(3)

    @rule(seconds=st.integers(1, 4))
    def lose_live_messages(self, seconds: int) -> None:
        self.here.deaf_s = seconds
        self._disturbed(seconds)

    @rule()
    def lose_figures(self) -> None:
        self.here.front.mute = True
        self._disturbed(1)


class Patience(Begun):
    """Waits longer than the bound, were it not for the rules; nothing fails."""

    @rule(hot=numbers, each=st.integers(1, 3))
    def starve(self, hot: int, each: int) -> None:
        self.here.front.lasts_s = 12
        self._ask({0, 1, 2, 3} - {hot}, 1)
        for _ in range(300):
            self._ask({hot}, each)
            self.here.seconds(1)

    @rule(wanted=some_numbers, outside=st.integers(2, 9))
    def others_take_memory(self, wanted: set[int], outside: int) -> None:
        self._ask(wanted, 1)
        for host in self.here.hosts:
            host.outside_bytes = outside * GB
        self._disturbed(300)
        for host in self.here.hosts:
            host.outside_bytes = 0
        self._disturbed(1)
