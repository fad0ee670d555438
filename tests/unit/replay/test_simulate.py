"""The simulator by which policies are compared: what it may never do, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from modelium.common.records import ModelState
from modelium.core import rules
from modelium.core.policy import Policy
from modelium.replay import scored
from modelium.replay.deciding import Deciding
from modelium.replay.node import Node
from modelium.replay.parts import GB, RESTART, SLEEP_LIKE, LoadTime, drawn_sizes
from modelium.replay.simulate import Driver, run
from modelium.replay.trace import Request, generated

DRIVERS: dict[str, Callable[[], Driver]] = {
    "ttl": scored.time_to_live,
    "lru": scored.least_recently_used,
    "gdsf": scored.greedy_dual,
    "clairvoyant": scored.clairvoyant,
    "rules": lambda: Deciding(Policy(), advisor=lambda tick: rules.advise(tick, Policy())),
}
HASTY = Policy(prewarm=True, evict_idle_always=True, evict_after_idle_s=60)


@dataclass
class Watched:
    """A policy, and a look at the node after each of its acts."""

    driver: Driver

    def due_s(self, node: Node, acted_s: float) -> float:
        return self.driver.due_s(node, acted_s)

    def act(self, node: Node) -> None:
        busy = {model.name for model in node.models.values() if model.in_flight}
        self.driver.act(node)
        for device in node.devices:
            held = sum(model.size_bytes for model in device.residents.values())
            assert held + device.free_bytes == device.total_bytes
            assert device.free_bytes >= 0
            loading = [m for m in device.residents.values() if m.state is ModelState.LOADING]
            assert len(loading) == device.loading
        assert all(node.models[name].device >= 0 for name in busy)


@pytest.mark.parametrize("load_time", [RESTART, SLEEP_LIKE], ids=lambda load: load.name)
@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_memory_holds_nobody_busy_is_stopped_and_everybody_is_served_once(
    driver: Callable[[], Driver], load_time: LoadTime
) -> None:
    trace = generated(models=30, hours=0.3)
    node = Node(
        drawn_sizes({r.model for r in trace.requests}, seed=1), devices=2, load_time=load_time
    )
    outcome = run(node, trace.requests, Watched(driver()))
    assert outcome.requests == len(trace.requests) > 300
    assert outcome.loads > 30  # there was something to choose
    assert not any(model.in_flight or model.waiting for model in node.models.values())


@pytest.mark.parametrize("driver", [d for n, d in DRIVERS.items() if n != "ttl"])
def test_with_room_for_all_every_model_is_loaded_once(driver: Callable[[], Driver]) -> None:
    trace = generated(models=20, hours=0.5)
    sizes = drawn_sizes({r.model for r in trace.requests}, seed=1)
    node = Node(sizes, devices=1, load_time=SLEEP_LIKE, device_bytes=2000 * GB)
    assert run(node, trace.requests, driver()).loads == len(sizes)


@pytest.mark.parametrize(("driver", "loads"), [("lru", 9), ("clairvoyant", 6)])
def test_abcabcabc_on_two_slots(driver: str, loads: int) -> None:
    requests = [Request(10.0 * n, "abc"[n % 3], 1.0) for n in range(9)]
    node = Node(dict.fromkeys("abc", GB), devices=1, load_time=SLEEP_LIKE, device_bytes=2 * GB)
    assert run(node, requests, DRIVERS[driver]()).loads == loads


def test_a_request_waits_for_its_load_and_no_longer() -> None:
    node = Node({"a": 18 * GB}, devices=1, load_time=RESTART)
    outcome = run(node, [Request(0, "a", 1), Request(10, "a", 1)], Deciding(Policy()))
    assert outcome.waits == ((0, pytest.approx(34)), (10, pytest.approx(24)))
    assert outcome.cold == 2


@dataclass
class Given(Watched):
    """Counts the loads that are given up."""

    given_up: int = 0

    def act(self, node: Node) -> None:
        loads = {m.name for m in node.models.values() if m.state is ModelState.LOADING}
        Watched.act(self, node)
        gone = {m.name for m in node.models.values() if m.state is ModelState.UNLOADED}
        self.given_up += len(loads & gone)


def test_loads_for_nobody_are_given_up_and_everybody_is_served() -> None:
    trace = generated(models=30, hours=3)
    sizes = drawn_sizes({r.model for r in trace.requests}, seed=1)
    node = Node(sizes, devices=3, load_time=RESTART)
    advice = Deciding(HASTY, advisor=lambda tick: rules.advise(tick, HASTY), foresees=True)
    driver = Given(advice)
    outcome = run(node, trace.requests, driver)
    assert outcome.requests == len(trace.requests)
    assert driver.given_up > 0
    assert not any(device.loading for device in node.devices)


def test_a_load_that_was_given_up_never_ends_and_the_next_one_takes_its_time() -> None:
    node = Node({"a": 40 * GB, "b": 40 * GB}, devices=1, load_time=RESTART)
    model, device = node.models["a"], node.devices[0]
    node.load(model, device, ahead=True)
    node.now_s = 40.0
    node.stop(model)
    assert (model.state, device.free_bytes, device.loading) == (
        ModelState.UNLOADED,
        device.total_bytes,
        False,
    )
    node.load(model, device)
    node.advance()  # the end that the first one would have had
    assert (node.now_s, model.state) == (45.0, ModelState.LOADING)
    node.advance()
    assert (node.now_s, model.state) == (85.0, ModelState.LOADED)


def test_a_load_without_room_and_a_second_one_on_a_device_are_refused() -> None:
    node = Node({"a": 40 * GB, "b": 40 * GB, "c": GB}, devices=1, load_time=RESTART)
    node.load(node.models["a"], node.devices[0])
    with pytest.raises(AssertionError):
        node.load(node.models["c"], node.devices[0])
    node.advance()
    with pytest.raises(AssertionError):
        node.load(node.models["b"], node.devices[0])
