"""Machines: what is asked of a system and what happens to it, and for how long."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.properties.system_rules import (
    Absence,
    Clients,
    Hosts,
    Others,
    Patience,
    numbers,
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


class Patient(Patience):
    """Clients wait for long where there is room for one model."""

    @initialize(sizes=st.lists(st.integers(3, 5), min_size=2, max_size=2))
    def begin(self, sizes: list[int]) -> None:  # type: ignore[override]
        self.start(sizes, [[5]], pinned=False)
