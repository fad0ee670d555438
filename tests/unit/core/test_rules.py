"""The rules' advice on a tick."""

from typing import Any

import pytest

from modelium.common.events import MetricsTick
from modelium.common.figures import DeviceFigures, ModelFigures
from modelium.common.records import ModelState
from modelium.core.policy import Policy
from modelium.core.rules import advise, foresee

SLOT = "cpu-local-0"


def figures(name: str, **changes: Any) -> ModelFigures:
    return ModelFigures.model_validate(
        {
            "model": name,
            "state": ModelState.LOADED,
            "pinned": False,
            "rate_per_s": 0,
            "idle_s": 10,
            "in_flight": 0,
            "waiting": 0,
            "oldest_wait_s": 0,
            "loaded_for_s": 100,
            "device_ids": (SLOT,),
            "held_bytes": 30,
            "needed_bytes": 30,
        }
        | changes
    )


def advised(
    *models: ModelFigures,
    free: int = 10,
    idle_s: float = 60,
    above: float = 100,
    always: bool = True,
) -> list[str]:
    device = DeviceFigures(device_id=SLOT, total_bytes=100, free_bytes=free)
    tick = MetricsTick(interval_s=10, models=models, devices=(device,))
    policy = Policy(
        evict_after_idle_s=idle_s, evict_idle_always=always, evict_when_memory_above_percent=above
    )
    return [f"{d.action} {d.model}" for d in advise(tick, policy)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"idle_s": 60}, ["evict b"]),
        ({"idle_s": 60, "can_sleep": True}, ["sleep b"]),
        ({"idle_s": 59}, []),
        ({"idle_s": 60, "pinned": True}, []),  # always loaded
        ({"idle_s": 60, "in_flight": 1}, []),  # in use
        ({"idle_s": 60, "waiting": 1}, []),  # somebody is about to use it
        ({"idle_s": 60, "state": ModelState.LOADING}, []),
        ({"idle_s": None, "loaded_for_s": 60}, ["evict b"]),  # never used since it was loaded
        ({"idle_s": 900, "loaded_for_s": 5}, []),  # used long ago, but loaded just now
        ({"idle_s": 900, "keep_alive_s": -1}, []),  # a client wants it kept for ever
        ({"idle_s": 900, "keep_alive_s": 1800}, []),  # or for longer
    ],
)
def test_a_model_that_nobody_uses_is_evicted(changes: dict[str, Any], expected: list[str]) -> None:
    assert advised(figures("b", **changes)) == expected


@pytest.mark.parametrize(
    ("waiter", "expected"),
    [
        ({"waiting": 0}, []),  # nobody gains
        ({"waiting": 1}, ["evict b"]),
        ({"waiting": 1, "needed_bytes": 10}, []),  # it fits beside it
        ({"waiting": 1, "state": ModelState.LOADING}, []),  # it has its memory already
    ],
)
def test_by_default_an_idle_model_goes_only_where_somebody_gains(
    waiter: dict[str, Any], expected: list[str]
) -> None:
    cold = {"state": ModelState.UNLOADED, "device_ids": (), "held_bytes": 0}
    models = figures("b", idle_s=60), figures("c", **cold | waiter)
    assert advised(*models, free=10, always=False) == expected


def test_no_more_idle_models_go_than_make_room() -> None:
    cold = figures("w", state=ModelState.UNLOADED, device_ids=(), held_bytes=0, waiting=1)
    idle = [figures(name, idle_s=60, next_use_s=60 + n) for n, name in enumerate("bcd")]
    assert advised(*idle, cold, free=10, always=False) == ["evict d"]


def test_of_the_idle_ones_those_go_that_are_expected_last() -> None:
    # By the time unused a model that is called every hour went just before it was called.
    cold = figures("w", state=ModelState.UNLOADED, device_ids=(), held_bytes=0, waiting=1)
    hourly = figures("hourly", idle_s=3590, next_use_s=10)
    quiet = figures("quiet", idle_s=1900, next_use_s=1900)
    assert advised(hourly, quiet, cold, free=10, always=False) == ["evict quiet"]
    never = figures("never", idle_s=None, loaded_for_s=70, next_use_s=None)
    assert advised(hourly, quiet, never, cold, free=10, always=False) == ["evict never"]


def test_zero_seconds_means_never() -> None:
    assert advised(figures("b", idle_s=9999), idle_s=0) == []


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (100, []),  # never
        (90, []),  # 90 of 100 are used: not above
        (80, ["evict c"]),  # the least recently used, which is enough
        (50, ["evict c", "evict b"]),
        (10, ["evict c", "evict b"]),  # the third is in use
    ],
)
def test_a_device_that_is_too_full_loses_its_least_recently_used(
    above: float, expected: list[str]
) -> None:
    models = figures("b", idle_s=20), figures("c", idle_s=30), figures("d", in_flight=1)
    assert advised(*models, free=10, above=above) == expected


def test_what_is_evicted_for_idleness_counts_as_gone_for_the_pressure() -> None:
    models = figures("b", idle_s=70), figures("c", idle_s=30)
    assert advised(*models, free=10, above=80) == ["evict b"]


def test_an_always_loaded_model_is_loaded_where_it_fits() -> None:
    unloaded = {"state": ModelState.UNLOADED, "pinned": True, "device_ids": (), "held_bytes": 0}
    assert advised(figures("p", **unloaded), free=30) == ["load p"]
    assert advised(figures("p", **unloaded), free=29) == []


EXPECTED: dict[str, Any] = {
    "state": ModelState.UNLOADED,
    "idle_s": 590,
    "loaded_for_s": None,
    "device_ids": (),
    "held_bytes": 0,
    "soon_chance": 0.8,
}


def prewarmed(*models: ModelFigures, **policy: Any) -> list[str]:
    device = DeviceFigures(device_id=SLOT, total_bytes=100, free_bytes=40)
    tick = MetricsTick(interval_s=10, models=models, devices=(device,))
    decisions = advise(tick, Policy(**{"prewarm": True, "evict_after_idle_s": 0} | policy))
    return [f"{d.action} {d.model}" for d in decisions]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["load b"]),
        ({"soon_chance": 0.2}, []),
        ({"needed_bytes": 41}, []),  # nobody gives way
        ({"state": ModelState.LOADED}, []),
        ({"state": ModelState.ERROR}, []),  # whoever asks for it may try again
        ({"keep_alive_s": 0}, []),  # a client has said that it may go
    ],
)
def test_a_model_is_loaded_before_it_is_asked_for(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert prewarmed(figures("b", **EXPECTED | changes)) == expected


def test_the_likeliest_model_is_loaded_first_and_one_for_each_tick() -> None:
    likelier = figures("c", **EXPECTED | {"soon_chance": 0.9})
    assert prewarmed(figures("b", **EXPECTED), likelier) == ["load c"]


@pytest.mark.parametrize(
    "other",
    [
        {"waiting": 1, "state": ModelState.UNLOADED},
        {"state": ModelState.LOADING},
        {"state": ModelState.UNLOADING},
        {"pinned": True, "state": ModelState.UNLOADED},  # it is loaded instead
    ],
)
def test_nothing_is_loaded_early_while_somebody_needs_a_device(other: dict[str, Any]) -> None:
    assert "load b" not in prewarmed(figures("a", **other), figures("b", **EXPECTED))


def test_nothing_is_loaded_early_unless_the_settings_say_so_and_leave_room() -> None:
    assert prewarmed(figures("b", **EXPECTED), prewarm=False) == []
    assert prewarmed(figures("b", **EXPECTED), evict_when_memory_above_percent=85) == []


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"evict_after_idle_s": 0},
        {"evict_idle_always": True},
        {"prewarm": True},
        {"evict_when_memory_above_percent": 50},
        {"always_loaded": frozenset("p")},
    ],
)
def test_who_foresees_nothing_says_nothing_while_nobody_waits(policy: dict[str, Any]) -> None:
    models = (
        figures("idle", idle_s=9999, loaded_for_s=9999),
        figures("soon", **EXPECTED),
        figures("p", **EXPECTED | {"soon_chance": 0, "pinned": "always_loaded" in policy}),
        figures("loading", state=ModelState.LOADING, waiting=3, device_ids=("another",)),
    )
    if "prewarm" in policy:
        models = models[:-1]
    device = DeviceFigures(device_id=SLOT, total_bytes=100, free_bytes=40)
    tick = MetricsTick(interval_s=10, models=models, devices=(device,))
    numbers = Policy(**policy)
    assert bool(advise(tick, numbers)) is foresee(numbers)
