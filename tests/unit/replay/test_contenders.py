"""Policies by name, with advice, on nodes that are given."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from modelium.common.advice import MetricsTick
from modelium.common.figures import DecidedAction, Decision
from modelium.core.policy import Policy
from modelium.replay.contenders import NAMES, CannotReplay, Contenders, Setup
from modelium.replay.deciding import Deciding, time_of
from modelium.replay.parts import GB, Need
from modelium.replay.simulate import run
from modelium.replay.table import rows
from modelium.replay.trace import Request, Trace, generated

ABC = Trace("abc", tuple(Request(100.0 * n, "abc"[n % 3], 1.0) for n in range(30)))
TWO_FIT = Setup(devices=1, device_bytes=2 * GB, needs=dict.fromkeys("abc", Need(GB, 10.0)))


@dataclass
class Advisor:
    """Says the same of every tick."""

    action: DecidedAction
    models: tuple[str, ...]
    ticks: list[MetricsTick] = field(default_factory=list)

    def __call__(self, tick: MetricsTick) -> tuple[Decision, ...]:
        self.ticks.append(tick)
        return tuple(Decision(model=m, action=self.action, reason="told") for m in self.models)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "brain"])
def test_the_same_seed_gives_the_same_outcome(name: str) -> None:
    def once(seed: int) -> object:
        trace = generated(models=20, hours=0.3, seed=seed)
        return Contenders().replay(name, trace, Setup(devices=1, seed=seed))

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_measured_times_go_before_sizes() -> None:
    outcome = Contenders().replay("lru", ABC, TWO_FIT)
    assert {wait_s for _, wait_s in outcome.waits} == {10.0}
    assert outcome.loads == outcome.cold == 30


def test_a_policy_is_measured_against_the_clairvoyant() -> None:
    outcomes = {n: Contenders().replay(n, ABC, TWO_FIT) for n in ("lru", "clairvoyant")}
    lru, best = rows(outcomes)
    assert lru.regret_s == pytest.approx(lru.mean_wait_s - best.mean_wait_s)
    assert best.regret_s == 0
    assert rows({"lru": outcomes["lru"]})[0].regret_s is None


def test_device_hours_are_the_memory_that_engines_hold_for_as_long_as_they_hold_it() -> None:
    one = Trace("one", (Request(0, "a", 10.0), Request(3590.0, "a", 10.0)))
    setup = Setup(devices=1, device_bytes=2 * GB, needs={"a": Need(GB, 0.0)})
    assert Contenders().replay("lru", one, setup).device_hours == pytest.approx(0.5)
    # Gone after 300 s without a use, or at the next look: it is loaded for 310 s, then for 10 s.
    short = Contenders().replay("ttl", one, setup)
    assert short.device_hours == pytest.approx(320 / 2 / 3600, rel=0.05)


def test_a_brain_that_loads_what_comes_next_saves_the_wait() -> None:
    trace = Trace("later", (Request(0, "a", 1.0), Request(100, "b", 1.0)))
    setup = Setup(devices=1, device_bytes=2 * GB, needs=dict.fromkeys("ab", Need(GB, 10.0)))
    brain = Advisor(DecidedAction.LOAD, ("b",))
    outcome = Contenders(brain=brain).replay("brain", trace, setup)
    assert [at_s for at_s, _ in outcome.waits] == [0]
    assert len(brain.ticks) >= 9  # one each 10 s, though nobody waits
    assert {m.model for m in brain.ticks[0].models} == {"a", "b"}


def test_a_brain_sees_how_long_a_cold_model_was_not_used() -> None:
    trace = Trace("two", (Request(0, "a", 1.0), Request(100, "b", 1.0), Request(200, "b", 1.0)))
    setup = Setup(devices=1, device_bytes=GB, needs=dict.fromkeys("ab", Need(GB, 10.0)))
    brain = Advisor(DecidedAction.KEEP, ("b",))
    Contenders(brain=brain).replay("brain", trace, setup)
    idle_s = [tick.models[0].idle_s for tick in brain.ticks[-5:]]
    assert [b - a for a, b in pairwise(idle_s) if a and b] == [pytest.approx(10.0)] * 4
    demand_per_s = [tick.models[0].demand_per_s for tick in brain.ticks[-5:]]
    assert all(a > b > 0 for a, b in pairwise(demand_per_s))  # long after its last request
    assert not any(tick.models[0].rate_per_s for tick in brain.ticks[-5:])


def test_advice_is_asked_for_at_the_ticks_and_not_as_soon_as_somebody_waits() -> None:
    # It was, and the rules did 6 % worse by it than the orchestrator, which has ticks.
    trace = Trace("two", (Request(0, "a", 30.0), Request(23, "b", 1.0)))
    setup = Setup(devices=1, device_bytes=GB, needs=dict.fromkeys("ab", Need(GB, 4.0)))
    asked = Advisor(DecidedAction.KEEP, ())
    run(setup.node(trace, sleeps=False), trace.requests, Deciding(Policy(), advisor=asked))
    assert [time_of(tick) for tick in asked.ticks] == [30.0]  # a is away at 34 s
    asked.ticks.clear()
    foreseeing = Deciding(Policy(), advisor=asked, foresees=True)
    run(setup.node(trace, sleeps=False), trace.requests, foreseeing)
    assert [time_of(tick) for tick in asked.ticks] == [10.0, 20.0, 30.0]


def test_the_guard_holds_in_a_replay() -> None:
    busy = Trace("busy", tuple(Request(5.0 * n, "a", 60.0) for n in range(40)))
    setup = Setup(devices=1, device_bytes=2 * GB, needs={"a": Need(GB, 10.0)})
    evil = Contenders(brain=Advisor(DecidedAction.EVICT, ("a", "b")))
    assert evil.replay("brain", busy, setup).loads == 1


def test_rules_keep_what_is_always_loaded() -> None:
    pinned = Contenders(policy=Policy(always_loaded=frozenset("a")))
    outcome = pinned.replay("rules", ABC, TWO_FIT)
    assert {int(at_s) // 100 % 3 for at_s, _ in outcome.waits if at_s} == {1, 2}
    assert outcome.loads == 21  # a once, the other two in turn


@pytest.mark.parametrize("name", ["brain", "belady"])
def test_policies_that_there_are_not(name: str) -> None:
    with pytest.raises(CannotReplay, match=name):
        Contenders().driver(name)


def test_a_model_that_fits_no_device_is_named() -> None:
    with pytest.raises(CannotReplay, match="c of abc needs 3 GB, but a device has 2 GB"):
        Contenders().replay(
            "lru", ABC, Setup(device_bytes=2 * GB, needs=dict.fromkeys("abc", Need(3 * GB)))
        )


def test_with_prewarm_who_follows_another_is_there_before_it_is_asked_for() -> None:
    at_s, requests = 0.0, []
    for number in range(12):
        requests += [Request(at_s, "a", 1.0), Request(at_s + 60, "b", 1.0)]
        at_s += 400 + 90 * number  # each pause is longer than all before: no habit
    trace = Trace("pairs", tuple(requests))
    setup = Setup(devices=2, device_bytes=GB, needs=dict.fromkeys("ab", Need(GB, 10.0)))

    def waits(*, prewarm: bool) -> int:
        policy = Policy(evict_idle_always=True, evict_after_idle_s=100, prewarm=prewarm)
        return Contenders(policy=policy).replay("rules", trace, setup).cold

    assert (waits(prewarm=False), waits(prewarm=True)) == (24, 24 - 7)


def test_a_pause_of_any_length_is_passed_at_once() -> None:
    """Each interval of it was counted, for ever where a trace told the time of day."""
    trace = Trace("paused", (Request(0.0, "a", 1.0), Request(3e12, "a", 1.0)))
    assert Contenders().replay("rules", trace, Setup(devices=1)).cold == 1
