"""What is loaded, stopped or queued in which situation."""

from functools import reduce

import pytest

from modelium.common.records import ModelState
from modelium.core.habit import Habit
from modelium.core.snapshot import DeviceView, ModelView
from tests.unit.core.places import (
    cold,
    device,
    done,
    loaded,
    loading,
    seen,
    unloading,
    waiting,
)

EVERY_TEN_MINUTES = reduce(Habit.after, [600.0] * 20, Habit())

SITUATIONS: list[tuple[str, tuple[ModelView | DeviceView, ...], list[str]]] = [
    ("nobody wants anything", (device(), cold("a")), []),
    ("it fits", (device(), waiting("a")), ["load a on 0"]),
    ("it is being loaded: join", (device(), loading("a", waiting=1, wanted_for_s=9)), []),
    ("it is loaded: the gateway routes", (device(), loaded("a", waiting=1, wanted_for_s=1)), []),
    ("its own engine still stops", (device(), unloading("a", waiting=1, wanted_for_s=9)), []),
    (
        "the device with more room, where fewer engines share",
        (device(0, free=3.5), device(1, total=8), waiting("a")),
        ["load a on 1"],
    ),
    (
        "two that fit on one device: one at a time, the oldest first",
        (device(total=9), waiting("a", since_s=1), waiting("b", since_s=2)),
        ["load b on 0"],
    ),
    (
        "two that fit on two devices: both at once",
        (device(0), device(1), waiting("a"), waiting("b")),
        ["load a on 0", "load b on 1"],
    ),
    (
        "a device that is starting something takes nothing else",
        (device(total=9, free=6), loading("b"), waiting("a", since_s=99)),
        [],
    ),
    (
        "an idle engine gives way at once",
        (device(free=1), loaded("b"), waiting("a")),
        ["unload b"],
    ),
    (
        "the least recently used gives way",
        (device(total=6, free=0), loaded("b", idle_s=10), loaded("c", idle_s=40), waiting("a")),
        ["unload c"],
    ),
    (
        "but not one that is about to be used, by its habit",
        (
            device(total=6, free=0),
            loaded("b", idle_s=590, loaded_for_s=999, habit=EVERY_TEN_MINUTES),
            loaded("c", idle_s=300, loaded_for_s=999),
            waiting("a"),
        ),
        ["unload c"],
    ),
    (
        "of two devices, the one whose engine is used again last",
        (
            device(0, free=0),
            device(1, free=0),
            loaded("b", idle_s=20),
            loaded("c", on=1, idle_s=40),
            waiting("a"),
        ),
        ["unload c"],
    ),
    (
        "no more engines give way than needed: the small one alone does not help",
        (
            device(total=5, free=0),
            loaded("s", 1, idle_s=50),
            loaded("b", 4, idle_s=20),
            waiting("a", 4),
        ),
        ["unload b"],
    ),
    (
        "two must go: one at a time on one device",
        (device(total=4, free=0), loaded("b", 2, idle_s=50), loaded("c", 2), waiting("a", 4)),
        ["unload b"],
    ),
    (
        "one of two is on its way out: wait, then the other",
        (device(total=4, free=0), unloading("b", 2), loaded("c", 2), waiting("a", 4)),
        [],
    ),
    (
        "victims on two devices do not add up",
        (device(0, free=0), device(1, free=0), loaded("b", 2), loaded("c", 2, on=1), waiting("a")),
        [],
    ),
    ("pinned is never a victim", (device(free=1), loaded("b", pinned=True), waiting("a")), []),
    (
        "pinned is not even a victim of one who has waited for ever",
        (device(free=1), loaded("b", pinned=True), waiting("a", since_s=9999)),
        [],
    ),
    (
        "a fresh engine serves its minimum time",
        (device(free=1), loaded("b", loaded_for_s=4), waiting("a", since_s=9999)),
        [],
    ),
    (
        "an engine in use is not displaced for a new waiter",
        (device(free=1), loaded("b", in_flight=2), waiting("a", since_s=14)),
        [],
    ),
    (
        "its last request is worth no more than one that waits: it drains while it ends",
        (device(free=1), loaded("b", in_flight=1), waiting("a")),
        ["unload b"],
    ),
    (
        "but for one who has waited long enough",
        (device(free=1), loaded("b", in_flight=2), waiting("a", since_s=15)),
        ["unload b"],
    ),
    (
        "nor one that is asked for all the time",
        (device(free=1), loaded("b", rate_per_s=1), waiting("a", since_s=14)),
        [],
    ),
    (
        "unless more wait than would have to",
        (device(free=1), loaded("b", rate_per_s=1), waiting("a", since_s=2, waiting=11)),
        ["unload b"],
    ),
    (
        "one in demand serves as long as its load took, even against the patient",
        (device(free=1), loaded("b", in_flight=1, loaded_for_s=8), waiting("a", since_s=99)),
        [],
    ),
    (
        "the younger does not take what is emptied for the older",
        (device(free=1), unloading("b"), waiting("a", since_s=9), waiting("s", 1, since_s=1)),
        [],
    ),
    (
        "one that cannot be served yet does not hold up the others",
        (device(free=1), loaded("b", in_flight=2), waiting("a", since_s=9), waiting("s", 1)),
        ["load s on 0"],
    ),
    (
        "and is patient in proportion to how many models wait",
        (device(free=1), loaded("b", in_flight=2), waiting("a", since_s=29), waiting("s", 3)),
        [],
    ),
    (
        "of which those do not count that cannot be served",
        (
            device(free=1),
            loaded("b", in_flight=2),
            waiting("a", since_s=29),
            waiting("s", 9),
            waiting("t", blocked="no runtime"),
        ),
        ["unload b"],
    ),
    (
        "until it has waited long enough: then the device is emptied for it",
        (device(free=1), loaded("b", loaded_for_s=1), waiting("a", since_s=31), waiting("s", 1)),
        [],
    ),
    ("an engine whose files are gone", (device(free=1), loaded("b", removed=True)), ["unload b"]),
    (
        "also when it is pinned",
        (device(free=1), loaded("b", removed=True, pinned=True)),
        ["unload b"],
    ),
    (
        "and when it is still being loaded",
        (device(free=1), loading("b", removed=True)),
        ["unload b"],
    ),
    (
        "an engine with old files is replaced",
        (device(free=1), loaded("b", stale_files=True, pinned=True)),
        ["unload b"],
    ),
    (
        "an operator's wish",
        (device(free=1), loaded("b", unload_requested=True)),
        ["unload b"],
    ),
    (
        "but not for one that is always loaded",
        (device(free=1), loaded("b", unload_requested=True, pinned=True)),
        [],
    ),
    (
        "a client wanted it kept for no time, also right after its load",
        (device(free=1), loaded("b", keep_alive_s=0, idle_s=0, loaded_for_s=0.1)),
        ["unload b"],
    ),
    (
        "but others use it",
        (device(free=1), loaded("b", keep_alive_s=0, in_flight=1), loaded("c", keep_alive_s=31)),
        [],
    ),
    (
        "or wait for it",
        (device(free=1), loaded("b", keep_alive_s=0, waiting=1, wanted_for_s=1)),
        [],
    ),
    ("its time is over", (device(free=1), loaded("b", keep_alive_s=30)), ["unload b"]),
    ("it is kept for ever", (device(free=1), loaded("b", keep_alive_s=-1, idle_s=9e9)), []),
    (
        "for ever does not save it from one who waits",
        (device(free=1), loaded("b", keep_alive_s=-1), waiting("a")),
        ["unload b"],
    ),
    (
        "pinned, whatever clients want",
        (device(free=1), loaded("b", keep_alive_s=0, pinned=True)),
        [],
    ),
    (
        "an engine on a lost agent cannot be told anything",
        (device(1), loaded("b", removed=True, on=0)),
        [],
    ),
    ("always loaded: without being asked", (device(), cold("p", pinned=True)), ["load p on 0"]),
    (
        "always loaded: after those who wait",
        (device(total=6), cold("p", pinned=True), waiting("a")),
        ["load a on 0"],
    ),
    (
        "always loaded: an idle engine gives way",
        (device(free=1), loaded("b"), cold("p", pinned=True)),
        ["unload b"],
    ),
    (
        "always loaded: one in use does not",
        (device(free=1), loaded("b", in_flight=1), cold("p", pinned=True)),
        [],
    ),
    (
        "a model that failed waits for its next attempt",
        (device(), waiting("a", state=ModelState.ERROR, retry_in_s=3)),
        [],
    ),
    (
        "and is loaded then",
        (device(), waiting("a", state=ModelState.ERROR)),
        ["load a on 0"],
    ),
    ("what cannot be served is not loaded", (device(), waiting("a", blocked="no runtime")), []),
]


@pytest.mark.parametrize(
    ("things", "expected"), [s[1:] for s in SITUATIONS], ids=[s[0] for s in SITUATIONS]
)
def test_what_is_done(things: tuple[ModelView | DeviceView, ...], expected: list[str]) -> None:
    assert done(seen(*things)) == expected
