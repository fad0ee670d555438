"""What those who wait are told."""

import pytest

from modelium.core.actions import Queue, Unload
from modelium.core.bound import wait_bounds_s
from modelium.core.decide import decide
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.places import POLICY, device, loaded, loading, seen, unloading, waiting


def queued(snapshot: Snapshot, model: str) -> Queue:
    queues = [a for a in decide(snapshot, (), POLICY) if isinstance(a, Queue) and a.model == model]
    assert len(queues) == 1
    return queues[0]


REASONS: list[tuple[str, tuple[ModelView | DeviceView, ...], str]] = [
    (
        "a drain",
        (device(free=1), loaded("b"), waiting("a", 2.9)),
        "needs 2.9 GiB, CPU slot 0 has 1.0 GiB free; waiting for b to drain",
    ),
    (
        "a drain that has begun",
        (device(free=1), unloading("b"), waiting("a", 2.9)),
        "needs 2.9 GiB, CPU slot 0 has 1.0 GiB free; waiting for b to drain",
    ),
    (
        "another engine starts",
        (device(total=9, free=6), loading("b"), waiting("a")),
        "waiting until b is started or stopped on CPU slot 0",
    ),
    (
        "an engine in use",
        (device(free=1), loaded("b", in_flight=2), waiting("a")),
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; b is in use",
    ),
    (
        "a fresh engine",
        (device(free=1), loaded("b", loaded_for_s=1), waiting("a")),
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; b stays at least 4 s more",
    ),
    (
        "a pinned engine",
        (device(free=1), loaded("b", pinned=True), waiting("a")),
        "needs 3.0 GiB, but CPU slot 0 has 1.0 GiB beside b, which is always loaded",
    ),
    (
        "a pinned engine, and one beside it that would free too little",
        (
            device(total=6, free=0),
            loaded("b", pinned=True),
            loaded("c", pinned=True, size=2),
            loaded("d", size=1),
            waiting("a"),
        ),
        "needs 3.0 GiB, but CPU slot 0 has 1.0 GiB beside b and c, which are always loaded",
    ),
    (
        "a pinned engine on one device, and another in use elsewhere",
        (
            device(0, free=1),
            device(1, free=1),
            loaded("b", pinned=True),
            loaded("c", on=1, in_flight=2),
            waiting("a"),
        ),
        "needs 3.0 GiB, CPU slot 1 has 1.0 GiB free; c is in use",
    ),
    (
        "something that is not ours",
        (device(free=1), waiting("a")),
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; the memory is used by something else",
    ),
    (
        "too large for every device",
        (device(0), device(1, total=6), waiting("a", 7)),
        "needs 7.0 GiB, but the largest device, CPU slot 1, has 6.0 GiB",
    ),
    ("no agent", (waiting("a"),), "no runtime agent with a device is alive"),
    ("not servable", (device(), waiting("a", blocked="no runtime")), "no runtime"),
]


@pytest.mark.parametrize(
    ("things", "reason"), [r[1:] for r in REASONS], ids=[r[0] for r in REASONS]
)
def test_who_waits_is_told_why(things: tuple[ModelView | DeviceView, ...], reason: str) -> None:
    assert queued(seen(*things), "a").reason == reason


def test_what_waiting_cannot_help_is_said_never_to_fit() -> None:
    assert queued(seen(device(), waiting("a", 5)), "a").never
    assert queued(seen(device(free=1), loaded("b", pinned=True), waiting("a")), "a").never
    assert not queued(seen(device(free=1), waiting("a", 3)), "a").never
    assert not queued(seen(waiting("a", 3)), "a").never


@pytest.mark.parametrize(
    "pinned",
    [
        loading("b", pinned=True),  # it may fail, or turn out to need less
        unloading("b", pinned=True),
        loaded("b", pinned=True, removed=True),
        loaded("b", pinned=True, stale_files=True),
    ],
)
def test_a_pinned_engine_that_may_yet_leave_makes_nobody_give_up(pinned: ModelView) -> None:
    assert not queued(seen(device(free=1), pinned, waiting("a")), "a").never


def test_a_model_that_never_fits_makes_no_other_wait_longer_for_its_turn() -> None:
    things = (
        device(free=0),
        loaded("b", size=2, pinned=True),
        loaded("c", size=2, in_flight=1, loaded_for_s=100),
        waiting("a", size=2, since_s=POLICY.displace_after_s),
    )
    assert Unload("c", "makes room for a") in decide(seen(*things), (), POLICY)
    assert Unload("c", "makes room for a") in decide(seen(*things, waiting("d")), (), POLICY)


def test_who_has_waited_longer_than_the_bound_is_refused_and_told_the_bound() -> None:
    outside = seen(device(free=1), waiting("a", since_s=340))
    bound_s = wait_bounds_s(outside, POLICY)["a"]
    assert not queued(outside, "a").never
    too_old = queued(seen(device(free=1), waiting("a", since_s=bound_s + 1)), "a")
    assert too_old.never
    assert too_old.reason.endswith(
        f"used by something else; nobody waits for it longer than {bound_s:.0f} s"
    )


def test_the_cause_stays_while_only_figures_change() -> None:
    first = queued(seen(device(free=1), loaded("b", in_flight=2), waiting("a")), "a")
    later = queued(seen(device(free=0.5), loaded("b", in_flight=3), waiting("a")), "a")
    assert first.reason != later.reason
    assert first.cause == later.cause
