"""How the engine of old files is replaced by one of new files."""

from dataclasses import replace
from typing import Any

import pytest

from modelium.common.records import ModelState
from modelium.core.actions import Load
from modelium.core.decide import decide
from modelium.core.plan import plan
from modelium.core.policy import Policy
from modelium.core.replacing import USED_LATELY_S
from modelium.core.snapshot import DeviceView, ModelView
from tests.unit.core.places import GIB, POLICY, cold, device, loaded, seen, unloading, waiting
from tests.unit.core.test_replicas import copy, done, with_copies

ROOM = device(total=9, free=6)
FULL = device(total=4, free=1)
LONG_AGO = {"idle_s": USED_LATELY_S, "loaded_for_s": 2 * USED_LATELY_S}


def old(name: str = "a", **changes: Any) -> ModelView:
    """Serves old files, and was used half a minute ago."""
    return loaded(name, **{"stale_files": True} | changes)


@pytest.mark.parametrize(
    "why",
    [
        {},
        {"in_flight": 1, "idle_s": 0.0},
        {**LONG_AGO, "pinned": True},
        {**LONG_AGO, "waiting": 1},
        {**LONG_AGO, "keep_alive_s": -1.0},
    ],
)
def test_new_files_are_loaded_beside_the_engine_of_a_model_that_will_be_missed(
    why: dict[str, Any],
) -> None:
    assert done(seen(ROOM, old(**why)), POLICY) == ["copy a on 0"]


def test_the_bytes_for_it_are_those_of_the_new_files_beside_the_old_ones() -> None:
    model = old(size=2, held_bytes=3 * GIB)
    (load,) = decide(seen(ROOM, model), (), POLICY)
    assert isinstance(load, Load)
    assert load.reserve_bytes == 2 * GIB


def test_another_device_is_as_good_and_the_emptiest_is_taken() -> None:
    assert done(seen(FULL, device(1), device(2, total=9), old()), POLICY) == ["copy a on 2"]


def test_one_engine_more_than_the_model_may_have_is_begun_and_goes_on() -> None:
    assert done(seen(ROOM, old(max_engines=1)), POLICY) == ["copy a on 0"]
    begun = seen(device(total=9, free=3), old(max_engines=1))
    for state in (ModelState.LOADING, ModelState.UNLOADING):
        assert done(with_copies(begun, copy(on=0, state=state)), POLICY) == []


OTHERS: list[tuple[str, tuple[ModelView | DeviceView, ...], list[str]]] = [
    ("there is no room beside it", (FULL, old()), ["unload a"]),
    ("it is pinned, without room", (FULL, old(pinned=True)), ["unload a"]),
    ("it is not used", (ROOM, old(**LONG_AGO)), ["unload a"]),
    ("it sleeps", (ROOM, old(state=ModelState.SLEEPING)), ["unload a"]),
    ("its files are gone", (ROOM, old(removed=True)), ["unload a"]),
    ("an operator wants it gone", (ROOM, old(unload_requested=True)), ["unload a"]),
    (
        "an operator wants it gone that is always loaded",
        (FULL, old(unload_requested=True, pinned=True)),
        ["unload a"],
    ),
    ("the new files failed a moment ago", (ROOM, old(copy_retry_in_s=9.0)), []),
    ("they failed, and there is no room", (FULL, old(new_files_failed=True)), []),
    ("they failed, and it is not used", (FULL, old(new_files_failed=True, **LONG_AGO)), []),
    ("they failed, and are tried again", (ROOM, old(new_files_failed=True)), ["copy a on 0"]),
    ("the device with room is busy", (replace(ROOM, busy=True), old()), []),
    ("it loads", (ROOM, old(state=ModelState.LOADING)), []),
]


@pytest.mark.parametrize(("things", "actions"), [o[1:] for o in OTHERS], ids=[o[0] for o in OTHERS])
def test_what_is_done_when(things: tuple[ModelView | DeviceView, ...], actions: list[str]) -> None:
    assert done(seen(*things), POLICY) == actions


def test_nobody_is_displaced_for_it_and_whoever_waits_is_first() -> None:
    idle = loaded("b", idle_s=1000.0)
    assert done(seen(device(total=8, free=2), old(), idle), POLICY) == ["unload a"]
    # There is room for one of both.
    assert done(seen(ROOM, device(1, total=2), old(), waiting("c", 5)), POLICY) == ["load c on 0"]
    # There is for both, but c still waits until b has left.
    leaving = unloading("b", on=1)
    assert (
        done(seen(ROOM, device(1, total=8, free=5), old(), leaving, waiting("c", 8)), POLICY) == []
    )


def test_it_is_not_begun_beside_an_engine_that_is_told_to_go() -> None:
    # c has waited for longer than anybody may: it is refused, although a makes room for it.
    late = waiting("c", 4, since_s=10_000.0)
    place = seen(device(total=4, free=0), device(1, total=3), old(size=3, held_bytes=4 * GIB), late)
    assert done(place, POLICY) == ["unload a"]


def test_who_cannot_be_loaded_is_not_waited_for() -> None:
    for other in (cold("c", 20, pinned=True), waiting("c", retry_in_s=5.0), waiting("c", 20)):
        assert done(seen(ROOM, old(), other), POLICY) == ["copy a on 0"]


def test_its_load_is_given_up_for_a_waiter_and_then_the_old_engine_makes_room() -> None:
    begun = copy(on=0, state=ModelState.LOADING)
    place = seen(device(total=7, free=1), old(in_flight=9), waiting("c"))
    assert done(with_copies(place, begun), POLICY) == ["unload a.2"]
    after = seen(device(total=7, free=0), old(copy_retry_in_s=9.0, in_flight=9), loaded("c", 4))
    assert done(after, POLICY) == []
    assert done(replace(after, models=(old(), loaded("c", 4))), POLICY) == ["unload a"]


def test_none_makes_a_device_fuller_than_idle_models_may_keep_it() -> None:
    kept = replace(POLICY, evict_when_memory_above_percent=60)
    assert done(seen(ROOM, old()), kept) == ["unload a"]


def test_several_engines_of_old_files_serve_until_the_first_of_new_ones_does() -> None:
    several = Policy(max_engines=2)
    third = device(2)
    place = seen(FULL, device(1, free=1), third, old(max_engines=2))
    assert done(with_copies(place, copy()), several) == ["copy a on 2"]
    # The registry has made the new engine the first; the others are behind the times now.
    new = loaded("a", on=2, max_engines=2)
    behind = [copy(number=n, on=n - 1, stale_files=True) for n in (1, 2)]
    full = [device(n, free=1) for n in range(3)]
    assert done(with_copies(seen(*full, new), *behind), several) == ["unload a.1", "unload a.2"]


def test_without_room_the_engine_with_less_to_do_makes_it() -> None:
    place = seen(FULL, device(1, free=1), old(max_engines=2, in_flight=9))
    assert done(with_copies(place, copy(in_flight=4)), Policy(max_engines=2)) == ["unload a.2"]


def test_whoever_asks_meanwhile_is_told_that_it_is_loaded() -> None:
    planned = plan(seen(ROOM, old()), "a", POLICY)
    assert planned is not None
    assert (planned.outcome, planned.reason) == ("route", "it is loaded")
