"""Whatever advice says, nobody waits who would be served without it, and nobody is interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from modelium.common.figures import DecidedAction, Decision
from modelium.core.actions import Load, Queue, Sleep, Unload, Wake
from modelium.core.books import Books
from modelium.core.decide import decide
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from modelium.core.victims import STOPPABLE
from tests.unit.core.places import LEVEL_2, POLICY, asleep, device, loaded, seen, waiting

SLOTS = (0, 1)
said = st.sampled_from([*DecidedAction, *[DecidedAction.KEEP] * 6])
advice_lists = st.dictionaries(st.integers(0, 6), said, min_size=1).map(
    lambda about: [Decision(model=f"m{n}", action=a, reason="") for n, a in about.items()]
)


@st.composite
def engines(draw: st.DrawFn, name: str) -> ModelView:
    on, size = draw(st.sampled_from(SLOTS)), draw(st.integers(1, 3))
    if draw(st.integers(0, 5)) == 0:
        return asleep(name, LEVEL_2, size=size, on=on)
    return loaded(
        name,
        size,
        on=on,
        in_flight=draw(st.sampled_from([0, 0, 2])),
        waiting=draw(st.sampled_from([0, 0, 0, 1])),
        idle_s=draw(st.sampled_from([5.0, 30.0, 300.0])),
        loaded_for_s=draw(st.sampled_from([1.0, 400.0, 400.0])),
        rate_per_s=draw(st.sampled_from([0.0, 0.0, 1.0])),
        sleeps=draw(st.sampled_from([(), (LEVEL_2,)])),
    )


@st.composite
def crowds(draw: st.DrawFn) -> Snapshot:
    """Two devices that are nearly full, and one or two who wait."""
    here = [draw(engines(f"m{n}")) for n in range(draw(st.integers(1, 5)))]
    ages = draw(st.lists(st.sampled_from([1.0, 20.0, 200.0]), min_size=1, max_size=2))
    waiters = [waiting(f"w{n}", draw(st.integers(1, 4)), since_s=s) for n, s in enumerate(ages)]
    places = []
    for number in SLOTS:
        held = sum(m.held_bytes for m in here if m.device_ids == (f"cpu-local-{number}",)) / 2**30
        free = draw(st.sampled_from([0, 0, 1, 3]))
        places.append(device(number, total=held + free, free=free))
    return seen(*here, *waiters, *places)


@dataclass(frozen=True)
class _Served:
    """Of those who wait: whose engine is started, and for whom others give way."""

    starts: frozenset[str]
    given_room: frozenset[str]
    interrupts: int


def _served(snapshot: Snapshot, advice: Sequence[Decision]) -> _Served:
    wanted = {m.model for m in snapshot.models if m.wanted_for_s is not None}
    actions = decide(snapshot, advice, POLICY)
    starts = {a.model for a in actions if isinstance(a, Load | Wake)}
    stops = [a for a in actions if isinstance(a, Unload | Sleep) and "room for" in a.reason]
    # All that give way for somebody, not only the first of them, which is stopped at once.
    going = {name for a in actions if isinstance(a, Queue) for name in a.victims}
    return _Served(
        frozenset(starts & wanted),
        frozenset(stop.reason.rpartition(" ")[2] for stop in stops),
        sum(m.in_flight for name in sorted(going) if (m := snapshot.model(name))),
    )


def _harms(snapshot: Snapshot, advice: Sequence[Decision]) -> bool:
    plain, advised = _served(snapshot, ()), _served(snapshot, advice)
    waits = not (plain.starts <= advised.starts and plain.given_room <= advised.given_room)
    return waits or advised.interrupts > plain.interrupts


@settings(max_examples=500, deadline=None)
@given(crowds(), advice_lists)
def test_no_advice_makes_anybody_wait_or_interrupts_anybody(
    snapshot: Snapshot, advice: list[Decision]
) -> None:
    assert not _harms(snapshot, advice)


def _kept_last(
    books: Books, device: DeviceView, _: frozenset[str] = frozenset()
) -> tuple[ModelView, ...]:
    here = books.in_state(device, *STOPPABLE)
    return tuple(sorted(here, key=lambda m: (m.model in books.keep, m.in_flight, m.idle_s)))


def _found() -> bool:
    try:
        find(
            st.tuples(crowds(), advice_lists),
            lambda both: _harms(*both),
            settings=settings(max_examples=2000, deadline=None, derandomize=True, database=None),
        )
    except NoSuchExample:
        return False
    return True


def test_advice_that_is_followed_at_any_price_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Books, "by_worth", _kept_last)
    assert _found()
