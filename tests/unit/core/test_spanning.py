"""A model that fits no single GPU: several of one agent, all of them or none."""

from dataclasses import replace
from typing import Any

from modelium.common.figures import DecidedAction, Decision
from modelium.common.records import DeviceKind, ModelState
from modelium.core.actions import Load, Queue, Unload, Wake
from modelium.core.decide import decide
from modelium.core.snapshot import DeviceView, ModelView
from tests.unit.core.places import GIB, LEVEL_2, POLICY, device, loaded, seen, waiting

PARTS = {2: 3 * GIB, 4: 2 * GIB}


def gpu(number: int, *, free: float = 4, agent: str = "local") -> DeviceView:
    view = replace(device(number, free=free), kind=DeviceKind.CUDA, agent_id=agent)
    return replace(view, device_id=f"gpu-{number}", name=f"GPU {number}")


def large(**changes: Any) -> ModelView:
    """Of five gibibytes, where a GPU has four; three of each of two are enough."""
    return waiting("a", 5, **{"spans": PARTS} | changes)


def on(number: int, name: str, size: float = 3, **changes: Any) -> ModelView:
    return loaded(name, size, **{"device_ids": (f"gpu-{number}",)} | changes)


def test_it_is_loaded_on_the_fewest_where_most_is_free() -> None:
    place = seen(gpu(0, free=3), gpu(1), gpu(2, free=3.5), gpu(3, free=1), large())
    assert decide(place, (), POLICY) == [
        Load("a", "local", ("gpu-1", "gpu-2"), reserve_bytes=3 * GIB, reason="somebody waits")
    ]


def test_the_devices_are_those_of_one_agent() -> None:
    place = seen(gpu(0, agent="x"), gpu(1, agent="y"), large())
    [refused] = decide(place, (), POLICY)
    assert isinstance(refused, Queue) and refused.never


def test_advice_to_load_it_is_followed_where_all_have_room_at_once() -> None:
    advice = [Decision(model="a", action=DecidedAction.LOAD, reason="soon")]
    nobody = large(waiting=0, wanted_for_s=None)
    assert decide(seen(gpu(0), gpu(1), nobody), advice, POLICY) == [
        Load("a", "local", ("gpu-0", "gpu-1"), reserve_bytes=3 * GIB, reason="soon", is_ahead=True)
    ]
    for other in (gpu(1, free=2), replace(gpu(1), busy=True), gpu(1, agent="other")):
        assert decide(seen(gpu(0), other, nobody), advice, POLICY) == []


def test_one_that_is_enough_is_taken_alone() -> None:
    place = seen(gpu(0), gpu(1), waiting("a", 3, spans=PARTS))
    [load] = decide(place, (), POLICY)
    assert isinstance(load, Load) and len(load.device_ids) == 1


def test_nothing_is_loaded_before_all_have_room() -> None:
    place = seen(gpu(0), gpu(1, free=1), on(1, "b"), large())
    [stop, queue] = decide(place, (), POLICY)
    assert stop == Unload("b", "makes room for a")
    assert isinstance(queue, Queue) and queue.model == "a"


def test_what_fits_already_is_kept_for_it() -> None:
    place = seen(gpu(0), gpu(1, free=1), on(1, "b"), large(wanted_for_s=2), waiting("c", 3))
    actions = decide(place, (), POLICY)
    assert [action for action in actions if isinstance(action, Load)] == []


def test_both_are_emptied_at_once() -> None:
    place = seen(gpu(0, free=1), gpu(1, free=1), on(0, "b"), on(1, "c"), large())
    actions = decide(place, (), POLICY)
    assert {action.model for action in actions if isinstance(action, Unload)} == {"b", "c"}
    assert len([action for action in actions if isinstance(action, Queue)]) == 1


def test_it_waits_for_a_device_that_is_busy() -> None:
    place = seen(replace(gpu(0), busy=True), gpu(1), large())
    [queue] = decide(place, (), POLICY)
    assert isinstance(queue, Queue) and not queue.never


def test_beside_a_pinned_model_another_pair_is_taken() -> None:
    place = seen(gpu(0, free=1), gpu(1), gpu(2), on(0, "b", pinned=True), large())
    [load] = decide(place, (), POLICY)
    assert isinstance(load, Load) and load.device_ids == ("gpu-1", "gpu-2")


def test_asleep_it_wakes_on_all_of_its_devices() -> None:
    kept = LEVEL_2.asleep_bytes
    sleeper = large(
        state=ModelState.SLEEPING,
        device_ids=("gpu-0", "gpu-1"),
        held_bytes=kept,
        asleep=LEVEL_2,
    )
    fits = seen(gpu(0, free=3), gpu(1, free=2.5), sleeper)
    assert decide(fits, (), POLICY) == [Wake("a", "somebody waits")]
    short = seen(gpu(0, free=3), gpu(1, free=2), sleeper)
    [queue] = decide(short, (), POLICY)
    assert isinstance(queue, Queue)


def test_it_wakes_when_room_is_made_on_the_one_device_that_lacks_it() -> None:
    """It waited for ever: of its devices that was emptied which had room already."""
    sleeper = large(
        state=ModelState.SLEEPING,
        device_ids=("gpu-0", "gpu-1"),
        held_bytes=LEVEL_2.asleep_bytes,
        asleep=LEVEL_2,
    )
    place = seen(gpu(0, free=3), gpu(1, free=1), on(1, "b"), sleeper)
    actions = decide(place, (), POLICY)
    assert [action.model for action in actions if isinstance(action, Unload)] == ["b"]
