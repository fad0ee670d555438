"""Rules and language model beside each other: who is asked, who leads, and what is published."""

import json

import pytest

from modelium.brain.deciding import Deciding
from modelium.brain.seat import MOST_FAILURES
from modelium.common.advice import AdvisorChanged, DecisionJudged, DecisionMade, Standing
from modelium.common.figures import DecidedAction, DecisionSource
from modelium.common.testing import FakeClock, InMemoryBus
from modelium.core.prompts import NoAnswer
from modelium.core.regret import ENOUGH
from tests.unit.brain.kit import DEVICE, GB, Scripted, cold, deciding, figures, tick

CONTESTED = tick(figures("a", idle_s=61), cold("b", waiting=1))
"""The rules evict `a`: it was not used for a minute."""
CALM = tick(figures("a", idle_s=5))
KEEPS = json.dumps({"m0": "load", "m1": "keep", "confidence": "high"})
AGREES = json.dumps({"m0": "keep", "m1": "evict", "confidence": "high"})
LLM_LEADS = Standing(leader=DecisionSource.LLM)


def said(bus: InMemoryBus) -> list[tuple[str, bool, dict[str, str]]]:
    return [
        (message.source, message.shadow, {d.model: d.action.value for d in message.decisions})
        for message in bus.of(DecisionMade)
        if isinstance(message, DecisionMade)
    ]


async def test_while_the_rules_lead_the_language_model_answers_beside_them() -> None:
    bus = InMemoryBus()
    await deciding(Scripted([KEEPS]), bus).on_tick(CONTESTED)
    assert said(bus) == [
        ("rules", False, {"a": "evict"}),
        ("llm", True, {"b": "load", "a": "keep"}),
    ]


async def test_it_is_asked_only_where_there_is_something_to_choose() -> None:
    backend = Scripted([KEEPS])
    await deciding(backend, InMemoryBus()).on_tick(CALM)
    assert backend.asked == []


async def test_one_that_leads_is_followed_and_the_rules_answer_beside_it() -> None:
    bus = InMemoryBus()
    brain = deciding(Scripted([KEEPS]), bus)
    brain.seat.standing = LLM_LEADS
    await brain.on_tick(CONTESTED)
    assert said(bus) == [
        ("llm", False, {"b": "load", "a": "keep"}),
        ("rules", True, {"a": "evict"}),
    ]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no answer within 0.05 s"),
        (NoAnswer("it cannot be reached"), "it cannot be reached"),
        ("evict everything!", "no JSON object"),
        (json.dumps({"m0": "evict", "m1": "evict", "confidence": "high"}), "no option"),
    ],
)
async def test_the_rules_answer_for_one_that_leads_and_fails(
    answer: str | NoAnswer | None, why: str
) -> None:
    bus = InMemoryBus()
    brain = deciding(Scripted([answer]), bus)
    brain.seat.standing = LLM_LEADS
    await brain.on_tick(CONTESTED)
    assert said(bus) == [("rules", False, {"a": "evict"})]
    (message,) = bus.of(DecisionMade)
    assert isinstance(message, DecisionMade)
    assert why in message.failure
    status = brain.status()
    assert (status.asked, status.answered) == (1, 0)
    assert why in status.last_failure


async def disagree(brain: Deciding, clock: FakeClock, times: int) -> None:
    """The rules evict what is asked for at once; the language model would have kept it."""
    for number in range(times):
        await brain.on_tick(
            tick(figures(f"a{number}", idle_s=61), cold("b", waiting=1), interval_s=10)
        )
        await clock.advance(10)
        await brain.on_tick(tick(cold(f"a{number}", waiting=4), interval_s=10, devices=()))
        await clock.advance(100)


async def test_a_language_model_that_does_better_earns_the_lead_and_it_is_told() -> None:
    bus, clock = InMemoryBus(), FakeClock()
    brain = deciding(Scripted([KEEPS]), bus, clock)
    await disagree(brain, clock, ENOUGH // 3)
    assert not brain.seat.llm_leads
    await disagree(brain, clock, ENOUGH)
    assert brain.seat.llm_leads
    (change,) = bus.of(AdvisorChanged)
    assert isinstance(change, AdvisorChanged)
    assert change.standing.promotions == 1
    assert "scripted leads from now on: its advice cost -" in change.reason
    assert brain.status().standing.leader is DecisionSource.LLM


async def test_what_came_of_each_side_of_a_disagreement_is_told_once_it_is_known() -> None:
    bus, clock = InMemoryBus(), FakeClock()
    brain = deciding(Scripted([KEEPS]), bus, clock)
    await disagree(brain, clock, 1)
    await brain.on_tick(tick())
    judged = [message for message in bus.of(DecisionJudged) if isinstance(message, DecisionJudged)]
    by_llm, by_rules = (message for message in judged if message.model == "a0")
    made = {message.message_id: message for message in bus.of(DecisionMade)}
    assert {by_llm.decision_id, by_rules.decision_id} <= set(made)
    assert (by_llm.source, by_llm.action) == (DecisionSource.LLM, DecidedAction.KEEP)
    assert (by_rules.source, by_rules.action) == (DecisionSource.RULES, DecidedAction.EVICT)
    assert by_llm.cost_s < by_rules.cost_s
    assert by_rules.outcome.startswith("asked for after 10 s: evict cost ")


async def test_where_both_say_the_same_nothing_is_judged() -> None:
    brain = deciding(Scripted([AGREES]), InMemoryBus())
    await brain.on_tick(CONTESTED)
    assert brain.seat.disputes == []


async def test_loads_for_which_there_is_no_room_earn_nothing() -> None:
    # Who said to load everything got the lead by loads that the guard would have dropped.
    loads = json.dumps({"m0": "load", "m1": "evict", "confidence": "high"})
    brain = deciding(Scripted([loads]), InMemoryBus())
    await brain.on_tick(CONTESTED)
    assert brain.seat.disputes == []
    roomy = DEVICE.model_copy(update={"free_bytes": 9 * GB})
    await brain.on_tick(CONTESTED.model_copy(update={"devices": (roomy,)}))
    assert [case.model for case in brain.seat.disputes] == ["b"]


async def test_one_that_leads_and_fails_again_and_again_loses_the_lead() -> None:
    bus = InMemoryBus()
    brain = deciding(Scripted([NoAnswer("it is down")]), bus)
    brain.seat.standing = LLM_LEADS
    for _ in range(MOST_FAILURES):
        assert brain.seat.llm_leads
        await brain.on_tick(CONTESTED)
    assert not brain.seat.llm_leads
    (change,) = bus.of(AdvisorChanged)
    assert isinstance(change, AdvisorChanged)
    assert change.reason.endswith("has lost the lead to the rules: it failed 3 times: it is down")


async def test_an_answer_in_between_forgives_failures() -> None:
    brain = deciding(Scripted([NoAnswer("x"), NoAnswer("x"), KEEPS, NoAnswer("x")]), InMemoryBus())
    brain.seat.standing = LLM_LEADS
    for _ in range(5):
        await brain.on_tick(CONTESTED)
    assert brain.seat.llm_leads
