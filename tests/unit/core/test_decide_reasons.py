"""What those who wait are told."""

import pytest

from modelium.core.actions import Queue
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
        "needs 3.0 GiB, CPU slot 0 has 1.0 GiB free; b is always loaded",
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


def test_only_a_model_larger_than_every_device_is_said_never_to_fit() -> None:
    assert queued(seen(device(), waiting("a", 5)), "a").never
    assert not queued(seen(device(free=1), waiting("a", 3)), "a").never
    assert not queued(seen(waiting("a", 3)), "a").never


def test_the_cause_stays_while_only_figures_change() -> None:
    first = queued(seen(device(free=1), loaded("b", in_flight=2), waiting("a")), "a")
    later = queued(seen(device(free=0.5), loaded("b", in_flight=3), waiting("a")), "a")
    assert first.reason != later.reason
    assert first.cause == later.cause
