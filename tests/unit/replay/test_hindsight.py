"""What hindsight answers, and how traces are parted so that nothing is judged that was learned."""

import json

import pytest

from modelium.common.advice import MetricsTick
from modelium.common.figures import DecidedAction, DeviceFigures, ModelFigures
from modelium.core.contest import contest
from modelium.core.policy import Policy
from modelium.replay.contenders import CannotReplay, Contenders, Setup
from modelium.replay.examples import BLIND_S, Part, examples, split
from modelium.replay.hindsight import hindsight
from modelium.replay.parts import GB, Need
from modelium.replay.trace import Request, Trace
from tests.unit.brain.kit import cold, figures

POLICY = Policy()
EVICT, KEEP, LOAD = DecidedAction.EVICT, DecidedAction.KEEP, DecidedAction.LOAD


def a_tick(*models: ModelFigures, free_gb: int) -> MetricsTick:
    """At 1000 s, of one device of 24 GB."""
    device = DeviceFigures(device_id="gpu-0", total_bytes=24 * GB, free_bytes=free_gb * GB)
    return MetricsTick(message_id="1000.000", interval_s=10, models=models, devices=(device,))


def choices(tick: MetricsTick, **next_s: float) -> dict[str, DecidedAction]:
    """By when each is asked for next, from now on."""
    requests = sorted(Request(1000 + s, model, 1.0) for model, s in next_s.items())
    contestants = contest(tick, POLICY)
    chosen = hindsight(requests, POLICY).choices(tick, contestants)
    return {c.figures.model: each for c, each in zip(contestants, chosen, strict=True)}


WAITED_FOR = cold("new", waiting=1)


@pytest.mark.parametrize(
    ("free_gb", "next_s", "expected"),
    [
        (0, {"a": 50, "b": 900, "c": 60}, {"a": KEEP, "b": EVICT, "c": KEEP}),  # used last
        (8, {"a": 50, "b": 900, "c": 60}, {"a": KEEP, "b": KEEP, "c": KEEP}),  # it fits
        (0, {"a": 50, "c": 60}, {"a": KEEP, "b": EVICT, "c": KEEP}),  # never asked for again
    ],
)
def test_who_is_asked_for_last_makes_room(
    free_gb: int, next_s: dict[str, float], expected: dict[str, DecidedAction]
) -> None:
    engines = (figures("a"), figures("b"), figures("c"))
    said = choices(a_tick(WAITED_FOR, *engines, free_gb=free_gb), **next_s)
    assert said == {"new": LOAD} | expected


def test_who_comes_soon_is_loaded_and_who_does_not_is_left_cold() -> None:
    soon, late = cold("soon", next_use_s=30), cold("late", next_use_s=30)
    said = choices(a_tick(soon, late, free_gb=24), soon=40, late=4000)
    assert said == {"soon": LOAD, "late": KEEP}


def test_who_comes_back_within_its_load_stays_before_who_comes_a_little_earlier() -> None:
    other = cold("other", next_use_s=5, needed_bytes=8 * GB)
    said = choices(a_tick(other, figures("a"), free_gb=0), other=10, a=25)
    assert said == {"other": KEEP, "a": KEEP}


def test_it_is_better_than_the_rules_where_it_matters() -> None:
    """Three models of which two fit, asked for in a rhythm that recency gets wrong."""
    trace = Trace("abc", tuple(Request(150.0 * n, "abc"[n % 3], 1.0) for n in range(60)))
    setup = Setup(devices=1, device_bytes=2 * GB, needs=dict.fromkeys("abc", Need(GB, 40.0)))
    contenders = Contenders(policy=POLICY, brain=hindsight(trace.requests, POLICY))
    waits_s = {n: contenders.replay(n, trace, setup).mean_wait_s for n in ("brain", "rules")}
    assert waits_s["brain"] < 0.5 * waits_s["rules"]


LONG = Trace("long", tuple(Request(60.0 * n, "abc"[n % 3], 1.0) for n in range(100)))
TWO_FIT = Setup(devices=1, device_bytes=2 * GB, needs=dict.fromkeys("abc", Need(GB, 10.0)))


def test_nothing_is_in_both_parts_nor_just_before_what_is_held_out() -> None:
    parts = split(LONG, 0.25)
    learned, held = parts.parts[Part.TRAIN].requests, parts.parts[Part.HELD_OUT].requests
    assert parts.held_from_s == pytest.approx(0.75 * 99 * 60)
    assert len(learned) + len(held) == 100 - BLIND_S / 60
    assert learned[-1].at_s + BLIND_S <= parts.held_from_s <= held[0].at_s + parts.held_from_s
    assert held[-1].at_s + parts.held_from_s == LONG.requests[-1].at_s


def test_a_trace_that_is_too_short_to_be_parted_is_refused() -> None:
    short = Trace("short", LONG.requests[:5])
    with pytest.raises(CannotReplay, match="short has nothing in its part train"):
        split(short, 0.25)


def test_examples_are_questions_and_answers_as_the_brain_has_them() -> None:
    made = examples(split(LONG, 0.25), Part.TRAIN, TWO_FIT, policy=POLICY, interval_s=10)
    assert len(made) > 20
    for example in made:
        options = [line for line in example.user.splitlines() if line.startswith("m")]
        chosen = json.loads(example.answer)
        assert len(chosen) == len(options) + 1
        for number, line in enumerate(options):
            assert chosen[f"m{number}"] in line.partition("options=")[2].split("|")
    assert {(e.part, e.trace) for e in made} == {(Part.TRAIN, "long")}
    assert json.loads(made[0].line())["held_from_s"] == pytest.approx(0.75 * 99 * 60)
