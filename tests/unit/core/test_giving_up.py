"""Loads of models that nobody has asked for: who begins them, and for whom they are given up."""

from dataclasses import replace
from typing import Any

import pytest

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import ModelState
from modelium.core.actions import Load
from modelium.core.decide import decide
from modelium.core.snapshot import ModelView
from tests.unit.core.places import (
    POLICY,
    cold,
    device,
    done,
    loaded,
    loading,
    seen,
    unloading,
    waiting,
)

FULL = device(0, free=1)
PREWARM = replace(POLICY, prewarm=True)


def ahead(name: str = "early", size: float = 3, *, on: int = 0, **changes: Any) -> ModelView:
    """It is being loaded, and nobody has asked for it."""
    return loading(name, size, on=on, **{"loaded_ahead_s": 9.0} | changes)


@pytest.mark.parametrize(
    ("changes", "is_ahead"),
    [({}, True), ({"wanted_for_s": 5.0, "retry_in_s": 9.0}, None), ({"pinned": True}, False)],
)
def test_a_load_by_advice_is_ahead_of_whoever_asks(
    changes: dict[str, Any], is_ahead: bool | None
) -> None:
    advice = Decision(model="a", action=DecidedAction.LOAD, reason="soon")
    place = seen(device(), cold("a", **changes))
    for policy in (PREWARM, POLICY):  # by whomever it is advised
        loads = decide(place, [advice], policy)
        begun = [load.is_ahead for load in loads if isinstance(load, Load)]
        assert begun == ([] if is_ahead is None else [is_ahead])


def test_a_load_for_nobody_is_given_up_for_somebody_who_waits_for_its_memory_or_device() -> None:
    assert done(seen(FULL, ahead(), waiting("a"))) == ["unload early"]
    roomy = device(0, total=8, free=5)
    assert done(seen(roomy, ahead(), waiting("a"))) == ["unload early"]
    assert done(seen(FULL, ahead(), cold("a", pinned=True))) == ["unload early"]


@pytest.mark.parametrize(
    "changes",
    [
        {"loaded_ahead_s": None},  # its waiter has left, or an operator wanted it
        {"wanted_for_s": 1.0, "waiting": 1},
        {"wanted_for_s": 1.0},
        {"pinned": True},
    ],
)
def test_a_load_for_somebody_goes_on(changes: dict[str, Any]) -> None:
    assert done(seen(FULL, ahead(**changes), waiting("a"))) == []


def test_a_load_for_nobody_goes_on_where_that_would_help_nobody() -> None:
    assert done(seen(FULL, ahead())) == []
    assert done(seen(FULL, ahead(), waiting("larger", 5))) == []
    assert done(seen(FULL, ahead(), waiting("failed", retry_in_s=9.0))) == []
    another = device(1, free=4)
    assert done(seen(FULL, another, ahead(), waiting("a"))) == ["load a on 1"]
    idle = loaded("idle", on=1, idle_s=1000.0)
    place = seen(FULL, device(1, free=1), ahead(), idle, waiting("a"))
    assert done(place) == ["unload idle"]


def test_one_load_is_given_up_for_each_who_waits_the_one_that_leaves_most_room() -> None:
    devices = device(0, total=4, free=1), device(1, total=8, free=2)
    early = ahead("x"), ahead("y", 6, on=1)
    assert done(seen(*devices, *early, waiting("a"))) == ["unload y"]
    assert done(seen(*devices, *early, waiting("a"), waiting("b"))) == ["unload y", "unload x"]


def test_no_second_load_is_given_up_while_the_first_ends() -> None:
    # It would be, as long as the waiter fits beside what is still being stopped.
    devices = device(0, total=8, free=5), device(1, free=1)
    ending = unloading("x", loaded_ahead_s=9.0, loaded_for_s=None)
    assert done(seen(*devices, ending, ahead("y", on=1), waiting("a"))) == []


def test_no_load_for_nobody_is_begun_while_somebody_queues_or_a_second_time() -> None:
    # It was given up for him and begun again by the same advice, without an end.
    advice = Decision(model="early", action=DecidedAction.LOAD, reason="soon")
    in_use = loaded("b", in_flight=5, idle_s=0)
    roomy = device(0, total=6, free=3)
    full = seen(roomy, in_use, cold("early"), waiting("a", 5))
    assert done(full, advice, policy=PREWARM) == []
    assert done(full, advice) == []  # whoever gives the advice
    alone = seen(roomy, in_use, cold("early"))
    assert done(alone, advice, policy=PREWARM) == ["load early on 0"]
    once = seen(roomy, in_use, cold("early", loaded_ahead_s=9.0))
    assert done(once, advice, policy=PREWARM) == []


def test_one_that_is_loaded_and_was_never_used_gives_way_as_any_other() -> None:
    idle = loaded("early", loaded_ahead_s=9.0, idle_s=900.0)
    assert idle.state is ModelState.LOADED
    assert done(seen(FULL, idle, waiting("a"))) == ["unload early"]
