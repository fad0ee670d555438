"""How the run with a killed brain counts: what answers a tick, and what is wrong."""

from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.brain_killed.figures import problems
from benchmarks.brain_killed.heard import Heard, Tick, unanswered
from benchmarks.brain_killed.phases import ALIVE, KILLED, RULES, Load, Phase
from benchmarks.brain_killed.world import COLD, INTERVAL_S, WARM
from benchmarks.swapping.clients import Asked, Attempt
from modelium.common.advice import DecisionMade
from modelium.common.figures import DecidedAction, Decision, DecisionSource

RULES_SAY, LLM_SAYS = DecisionSource.RULES, DecisionSource.LLM
GOOD = Attempt(200, 1.0)


def made(digest: str, **changes: Any) -> DecisionMade:
    known = {"origin": "brain", "source": RULES_SAY, "inputs_digest": digest}
    return DecisionMade.model_validate(known | changes)


def test_a_tick_is_answered_by_what_counts_and_not_by_what_is_said_for_comparison() -> None:
    heard = Heard(
        ticks=[(10.0, "a"), (14.0, "b"), (18.0, "c"), (22.0, "d")],
        made=[
            (10.5, made("a", source=LLM_SAYS)),
            (10.6, made("a", shadow=True)),
            (14.1, made("b")),
            (14.9, made("b", source=LLM_SAYS, shadow=True)),
            (20.0, made("c", failure="no answer within 2 s")),
            (22.5, made("d", source=LLM_SAYS, shadow=True, failure="no answer")),
            (22.6, made("d", origin="orchestrator")),
        ],
    )
    assert heard.answers() == [
        Tick(10.0, 0.5, LLM_SAYS, llm_s=0.5),
        Tick(14.0, pytest.approx(0.1), RULES_SAY, llm_s=pytest.approx(0.9)),
        Tick(18.0, 2.0, RULES_SAY, in_place="no answer within 2 s"),
        Tick(22.0),
    ]


def test_what_the_guard_drops_is_told_by_the_orchestrator() -> None:
    said = Decision(model="a", action=DecidedAction.EVICT, reason="")
    gone = said.model_copy(update={"dropped_by": "pinned"})
    by_orchestrator = made("x", origin="orchestrator", decisions=(said, gone))
    heard = Heard(made=[(1.0, by_orchestrator), (1.0, made("x", decisions=(gone,)))])
    assert heard.dropped(0.0, 2.0) == 1
    assert heard.dropped(1.5, 2.0) == 0


@pytest.mark.parametrize(
    ("answered", "missed"),
    [
        ("yyyy", []),
        ("ynyn", []),  # nothing to say: every second one
        ("ynny", [2]),
        ("nyyy", [0]),  # nobody was heard before
        ("nnny", [0, 1, 2]),
    ],
)
def test_two_ticks_in_a_row_without_a_decision_are_one_too_many(
    answered: str, missed: list[int]
) -> None:
    ticks = [Tick(n, 0.1 if said == "y" else None) for n, said in enumerate(answered)]
    assert [tick.at_s for tick in unanswered(ticks, 0, 9)] == missed
    assert unanswered(ticks, 9, 10) == []


def phase(name: str, ticks: Sequence[Tick], *asked: Asked, missed: int = 0) -> Phase:
    return Phase(name, asked, ticks, missed, dropped=0, own_cpu=0.0, other_cpu=0.0)


def asked(*attempts: Attempt) -> Asked:
    return Asked(WARM, 0.0, cold=False, stream=True, attempts=list(attempts), ended_s=9.0)


def test_it_is_wrong_to_lose_a_request_to_leave_a_tick_or_to_show_nothing() -> None:
    alive = phase(ALIVE, [Tick(1, 0.5, LLM_SAYS, llm_s=0.5)], asked(GOOD))
    killed = phase(KILLED, [Tick(1, 2.0, RULES_SAY, in_place="gone")], asked(GOOD))
    assert problems([alive, killed]) == []
    late = phase(RULES, [Tick(1, INTERVAL_S + 0.1, RULES_SAY)])
    lost = phase(RULES, [], asked(GOOD, Attempt(500, 1.0, "HTTP 500")))
    for wrong in (late, lost, phase(RULES, [], missed=1)):
        assert len(problems([alive, killed, wrong])) == 1
    assert len(problems([killed])) == len(problems([alive])) == 1


def test_every_phase_has_the_same_requests_in_their_order() -> None:
    load = Load(seconds=30, warm_per_s=1, cold_per_s=0.5, seed=3)
    arrivals = load.arrivals()
    assert arrivals == load.arrivals() == sorted(arrivals, key=lambda arrival: arrival.at_s)
    assert [a.model for a in arrivals].count(WARM) == 30
    assert {a.model for a in arrivals} <= {WARM, *COLD}


def test_the_first_token_is_counted_from_the_first_try_on() -> None:
    streamed = asked(Attempt(503, 3.0, "HTTP 503"), Attempt(200, 4.0, first_s=1.5))
    assert streamed.first_s == 9.0 - 4.0 + 1.5
    assert asked(GOOD).first_s is None
