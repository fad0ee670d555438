"""Machines: what is asked of a system and what happens to it, and for how long."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.properties.pair import NAMES as LEADERS
from tests.properties.pair import Pair
from tests.properties.system_rules import (
    Absence,
    Clients,
    Hosts,
    Others,
    Patience,
    numbers,
    some_numbers,
)


class Everything(Clients, Absence, Hosts, Others):
    """All that happens within a minute."""


class Absences(Absence):
    """Clients ask while a host with room for one model comes and goes."""

    @initialize(sizes=st.lists(st.integers(3, 5), min_size=2, max_size=4))
    def begin(self, sizes: list[int]) -> None:  # type: ignore[override]
        self.start(sizes, [[5]], pinned=False)

    @rule(first=numbers, then=numbers, seconds=st.integers(11, 50), deaf_s=st.integers(1, 3))
    def leave_a_load_behind(self, first: int, then: int, seconds: int, deaf_s: int) -> None:
        self.lose_a_host(0, seconds, False, {first}, {then}, deaf_s, True)
        self.here.seconds(5)


class Crowd(Clients):
    """Many models and one device; the first is pinned."""

    @initialize(sizes=st.lists(st.integers(3, 4), min_size=3, max_size=4), total=st.integers(8, 9))
    def begin(self, sizes: list[int], total: int) -> None:  # type: ignore[override]
        self.start(sizes, [[total]], pinned=True)


class Copies(Clients, Absence, Hosts, Others):
    """Models that are crowded, on hosts with room for several engines of each."""

    @initialize(
        sizes=st.lists(st.integers(3, 5), min_size=1, max_size=3),
        hosts=st.lists(st.lists(st.integers(4, 9), min_size=1, max_size=2), min_size=2, max_size=2),
        pinned=st.booleans(),
    )
    def begin(self, sizes: list[int], hosts: list[list[int]], pinned: bool) -> None:
        self.start(
            sizes,
            hosts,
            pinned=pinned,
            max_engines_per_model=3,
            copy_above_requests=2,
            copy_after_seconds=3,
            drop_copy_after_seconds=8,
        )

    @rule(hot=numbers, seconds=st.integers(8, 25), then=some_numbers)
    def crowd_one(self, hot: int, seconds: int, then: set[int]) -> None:
        self.here.front.lasts_s = 4
        for second in range(seconds):
            self._ask(then if second % 8 == 7 else set(), 1)
            self._ask({hot}, 4)
            self.here.seconds(1)


class Patient(Patience):
    """Clients wait for long where there is room for one model."""

    @initialize(sizes=st.lists(st.integers(3, 5), min_size=2, max_size=2))
    def begin(self, sizes: list[int]) -> None:  # type: ignore[override]
        self.start(sizes, [[5]], pinned=False)


class Leaders(Clients, Hosts):
    """Of two orchestrators one leads, until it loses the lease or is killed."""

    kind = Pair

    @rule(number=numbers, seconds=st.integers(1, 12), once=some_numbers)
    def lose_the_lease(self, number: int, seconds: int, once: set[int]) -> None:
        """It cannot renew it, and goes on without knowing whether another leads."""
        door = self._pair.doors[LEADERS[number % 2]]
        door.shut = True
        self._ask(once, 1)
        self._disturbed(seconds)
        door.shut = False
        self._disturbed(1)

    @rule(number=numbers, seconds=st.integers(0, 12), once=some_numbers)
    def kill_an_orchestrator(self, number: int, seconds: int, once: set[int]) -> None:
        name = LEADERS[number % 2]
        self.here.run(self._pair.kill_one(name))
        self._ask(once, 1)
        self._disturbed(seconds)
        self._pair.start_one(name)
        self._disturbed(1)

    @property
    def _pair(self) -> Pair:
        assert isinstance(self.here, Pair)
        return self.here
