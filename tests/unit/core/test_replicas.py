"""When a model gets one more engine, and when one goes."""

from dataclasses import replace
from typing import Any

import pytest

from modelium.common.records import ModelState
from modelium.core.actions import Load, Queue, Unload
from modelium.core.bound import wait_bounds_s
from modelium.core.decide import decide
from modelium.core.plan import plan
from modelium.core.policy import Policy
from modelium.core.replicas import WINDOW_S, Crowd, Look, looked
from modelium.core.snapshot import DeviceView, ModelView, Snapshot
from tests.unit.core.places import cold, device, loaded, seen, waiting

POLICY = Policy(
    min_residency_s=5,
    max_engines=3,
    copy_above_requests=10,
    copy_after_s=15,
    copy_below_ratio=0.5,
    drop_copy_after_s=60,
)


def busy(name: str = "a", **changes: Any) -> ModelView:
    """Has been crowded for longer than is borne."""
    crowded = {"max_engines": 3, "crowded_for_s": 20.0, "in_flight": 30, "idle_s": 0.0}
    return loaded(name, **crowded | changes)


def copy(name: str = "a", number: int = 2, *, on: int = 1, **changes: Any) -> ModelView:
    beside = {"copy_id": f"{name}.{number}", "generation": number, "idle_s": None}
    return loaded(name, on=on, **beside | {"loaded_for_s": None} | changes)


def with_copies(snapshot: Snapshot, *copies: ModelView) -> Snapshot:
    return replace(snapshot, copies=copies)


def done(snapshot: Snapshot, policy: Policy = POLICY) -> list[str]:
    actions = [a for a in decide(snapshot, (), policy) if not isinstance(a, Queue)]
    return [_short(action) for action in actions]


def _short(action: object) -> str:
    match action:
        case Load(model, _, (slot,), is_copy=is_copy):
            return f"{'copy' if is_copy else 'load'} {model} on {slot[-1]}"
        case Unload(model, _, copy_id):
            return f"unload {copy_id or model}"
    return type(action).__name__


FREE = (device(0, free=1), device(1))
KEPT: list[tuple[str, ModelView, tuple[DeviceView, ...]]] = [
    ("it may have one engine only", busy(max_engines=1), FREE),
    ("it is crowded for a moment", busy(crowded_for_s=14.0), FREE),
    ("its copy has just failed", busy(copy_retry_in_s=1.0), FREE),
    ("its files are gone", busy(removed=True, pinned=True), (device(0, free=1),)),
    ("there is no free memory", busy(), (device(0, free=1), device(1, free=2))),
    ("there is memory beside it only", busy(), (device(0, total=9, free=6),)),
    ("the device is busy", busy(), (FREE[0], replace(FREE[1], busy=True))),
    ("it does not serve", busy(state=ModelState.UNLOADING), FREE),
]


def test_a_crowded_model_gets_an_engine_on_another_device() -> None:
    assert done(seen(*FREE, busy())) == ["copy a on 1"]


@pytest.mark.parametrize(("model", "devices"), [k[1:] for k in KEPT], ids=[k[0] for k in KEPT])
def test_no_engine_is_added_while(model: ModelView, devices: tuple[DeviceView, ...]) -> None:
    assert "copy" not in " ".join(done(seen(*devices, model)))


def test_none_is_added_while_anybody_waits_or_is_to_be_loaded() -> None:
    third = device(2, total=2)
    for other in (waiting("b", 5), cold("b", 5, pinned=True), waiting("b", 5, retry_in_s=9.0)):
        assert done(seen(*FREE, third, busy(), other)) == []


def test_one_is_added_at_a_time_up_to_the_maximum() -> None:
    slots = (FREE[0], device(1, free=1), device(2), device(3))
    one = with_copies(seen(*slots, busy()), copy())
    assert done(one) == ["copy a on 2"]
    begun = with_copies(one, copy(state=ModelState.LOADING))
    assert done(begun) == []
    full = (FREE[0], device(1, free=1), device(2, free=1), device(3))
    two = with_copies(seen(*full, busy()), copy(), copy(number=3, on=2))
    assert done(two) == []


def test_none_makes_a_device_fuller_than_idle_models_may_keep_it() -> None:
    assert done(seen(*FREE, busy()), replace(POLICY, evict_when_memory_above_percent=75)) != []
    assert done(seen(*FREE, busy()), replace(POLICY, evict_when_memory_above_percent=74)) == []


def test_the_one_crowded_for_longest_is_served_first() -> None:
    both = seen(device(0, total=7, free=1), device(1), busy("a"), busy("b", crowded_for_s=30.0))
    assert done(both) == ["copy b on 1"]


FULL = (device(0, free=1), device(1, free=1))


def test_a_copy_goes_before_anybody_else_even_in_use_and_just_loaded() -> None:
    idle = loaded("b", on=0, idle_s=1000.0)
    hot = busy(on=0, in_flight=9)
    place = seen(device(0, total=6, free=0), FULL[1], hot, idle, waiting("c"))
    in_use = copy(in_flight=5, loaded_for_s=0.0)
    assert done(with_copies(place, in_use)) == ["unload a.2"]


def test_the_load_of_a_copy_is_given_up_for_one_who_waits_for_its_device() -> None:
    begun = copy(state=ModelState.LOADING)
    for other in (waiting("c"), cold("c", pinned=True)):
        place = seen(*FULL, busy(in_flight=50), other)
        assert done(with_copies(place, begun)) == ["unload a.2"]


def test_the_load_of_a_copy_goes_on_beside_one_for_whom_others_give_way_or_who_needs_more() -> None:
    begun = copy(state=ModelState.LOADING)
    idle = loaded("b", on=2, idle_s=1000.0)
    place = seen(*FULL, device(2, free=1), busy(in_flight=50), idle, waiting("c"))
    assert done(with_copies(place, begun)) == ["unload b"]
    larger = seen(*FULL, device(2, total=9, free=0), busy(in_flight=50), waiting("c", 8))
    assert done(with_copies(larger, begun)) == []


def test_the_copy_of_a_pinned_model_is_not_pinned() -> None:
    place = seen(*FULL, busy(pinned=True), cold("c", pinned=True))
    assert done(with_copies(place, copy(in_flight=1))) == ["unload a.2"]


def test_a_plan_names_the_copy_that_would_give_way_and_all_that_serve() -> None:
    place = with_copies(seen(*FULL, busy(), cold("c")), copy(in_flight=4))
    planned = plan(place, "c", POLICY)
    assert planned is not None
    assert [(v.model, v.in_flight) for v in planned.victims] == [("a.2", 4)]
    assert "waiting for a copy of a to drain" in planned.reason
    serving = plan(place, "a", POLICY)
    assert serving is not None
    assert (serving.outcome, serving.reason) == ("route", "it is loaded, by 2 engines")
    assert serving.device_ids == ("cpu-local-0", "cpu-local-1")
    assert serving.device_name == "CPU slot 0 and CPU slot 1"


@pytest.mark.parametrize("going", ["removed", "unload_requested"])
def test_a_model_that_must_go_goes_with_all_its_engines(going: str) -> None:
    engines = with_copies(seen(*FULL, busy(**{going: True})), copy(**{going: True}))
    assert done(engines) == ["unload a", "unload a.2"]


def test_a_calm_model_loses_the_engine_with_the_fewest_requests() -> None:
    calm = busy(crowded_for_s=0.0, calm_for_s=60.0, in_flight=3)
    slots = (*FULL, device(2, free=1))
    place = seen(*slots, calm)
    assert done(with_copies(place, copy(in_flight=2), copy(number=3, on=2))) == ["unload a.3"]
    calm = replace(calm, calm_for_s=59.0)
    assert done(with_copies(seen(*slots, calm), copy())) == []


def test_a_model_with_more_engines_than_it_may_have_loses_one_after_the_other() -> None:
    slots = (*FULL, device(2, free=1))
    place = seen(*slots, busy(max_engines=1))
    assert done(with_copies(place, copy(), copy(number=3, on=2))) == ["unload a.3"]
    going = copy(number=3, on=2, state=ModelState.UNLOADING)
    assert done(with_copies(place, copy(), going)) == []


def test_copies_that_may_be_in_the_way_make_the_bound_longer() -> None:
    alone, several = cold("a", load_s=30), cold("a", load_s=30, max_engines=3)
    shorter, longer = (wait_bounds_s(seen(device(), m), POLICY)["a"] for m in (alone, several))
    assert longer - shorter == 2 * (POLICY.drain_deadline_s + POLICY.stop_s)


def crowd(
    *looks: Look, policy: Policy = POLICY, every_s: float = 1.0, since: Crowd | None = None
) -> Crowd:
    """What is known after these looks."""
    now_s = since.at_s if since else 0.0
    for look in looks:
        now_s += every_s
        since = looked(since, look, policy, now_s)
    assert since is not None
    return since


def test_a_model_is_crowded_from_when_its_engines_have_more_than_they_should() -> None:
    few, many = Look(1, 10, 0, 0), Look(1, 11, 0, 0)
    assert crowd(*[few] * 60).crowded_for_s() == 0
    assert crowd(*[many] * 61).crowded_for_s() == 59
    assert crowd(*[Look(2, 20, 0, 0)] * 60).crowded_for_s() == 0


def test_a_model_is_crowded_while_requests_wait_for_room_at_its_engines() -> None:
    assert crowd(*[Look(1, 2, 1, 0)] * 31).crowded_for_s() == 29


def test_a_burst_or_a_gap_of_a_second_changes_nothing() -> None:
    few, many = Look(1, 8, 0, 0), Look(1, 15, 0, 0)
    assert crowd(*[few] * 60, Look(1, 18, 0, 0)).crowded_for_s() == 0
    assert crowd(*[many] * 60, few).crowded_for_s() == 59


def test_a_new_engine_begins_to_count_anew() -> None:
    crowded = crowd(*[Look(1, 40, 0, 0)] * 60)
    assert crowd(Look(2, 40, 0, 0), since=crowded).crowded_for_s() == 0


def test_between_crowded_and_calm_nothing_is_counted() -> None:
    between = crowd(*[Look(2, 6, 0, 0)] * 60)
    assert (between.crowded_for_s(), between.calm_for_s()) == (0, 0)
    assert crowd(*[Look(2, 5, 0, 0)] * 61).calm_for_s() == 59
    assert crowd(*[Look(1, 0, 0, 0)] * 61).calm_for_s() == 0  # the only one


def served(per_s: int, engines: int, at_once: int, seconds: int, before: int = 0) -> list[Look]:
    return [Look(engines, at_once, 0, before + per_s * second) for second in range(1, seconds + 1)]


def test_who_needs_the_rate_of_all_its_engines_is_not_calm_however_few_requests_it_has() -> None:
    crowded = crowd(*served(20, 1, 30, 60))
    assert crowded.pace_per_s == pytest.approx(20, rel=0.1)
    fast = crowd(*served(15, 2, 2, 60, before=1200), since=crowded)
    assert fast.calm_for_s() == 0
    slow = crowd(*served(9, 2, 2, 60, before=1200), since=crowded)
    assert slow.calm_for_s() > 60 - 2 * WINDOW_S
