"""A world that runs by `decide` serves everybody, without spinning and in no time."""

import timeit

from hypothesis import given, settings
from hypothesis import strategies as st

from modelium.core.decide import decide
from tests.unit.core.places import POLICY, cold, device, loaded, seen, waiting
from tests.unit.core.strategies import SLOTS
from tests.unit.core.world import World


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_request_is_served_within_a_bound_whatever_is_asked_for(data: st.DataObject) -> None:
    """Five models, memory for one to three of them, floods and single requests mixed."""
    sizes = {f"m{i}": data.draw(st.integers(1, 3)) for i in range(5)}
    totals = dict.fromkeys(SLOTS[: data.draw(st.integers(1, 2))], 3)
    world = World(sizes, totals, POLICY)
    asked = st.lists(st.sampled_from(list(sizes)), max_size=3)
    lasting = data.draw(st.integers(1, 6))
    for _ in range(60):
        world.step(data.draw(asked), lasting)
    for _ in range(300):
        world.step(["m0"], lasting)  # one model is asked for all the time
        if not any(name != "m0" for name in world.waits):
            break
    assert not [name for name in world.waits if name != "m0"]
    # Each of four others in turn: its age, a drain, a load, and the quantum of what it displaces.
    turn_s = POLICY.displace_after_s + lasting + world.load_s + POLICY.min_residency_s + 3
    assert world.longest_wait <= 5 * turn_s


def test_two_models_with_memory_for_one_take_turns_and_do_not_spin() -> None:
    world = World({"a": 3, "b": 3}, {SLOTS[0]: 3}, POLICY)
    for _ in range(600):
        world.step(["a", "b"], lasting=1)
    assert world.longest_wait < 60
    assert world.loads < 600 / (POLICY.min_residency_s + world.load_s)


def test_a_hundred_models_on_sixteen_devices_are_decided_in_milliseconds() -> None:
    places = [device(i, total=80, free=2) for i in range(16)]
    there = [loaded(f"l{i}", 20, on=i % 16, idle_s=float(i)) for i in range(64)]
    asked = [waiting(f"w{i}", 20, since_s=float(i)) for i in range(8)]
    snapshot = seen(*places, *there, *asked, *[cold(f"c{i}") for i in range(28)])
    best_s = min(timeit.repeat(lambda: decide(snapshot, (), POLICY), number=5, repeat=5)) / 5
    assert best_s < 0.02
