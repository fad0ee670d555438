"""What the brain says, and how often."""

from itertools import pairwise
from typing import Any

from modelium.brain.handlers import on_brain_asked
from modelium.common.advice import BrainAsked
from modelium.common.events import DecisionMade, MetricsTick
from modelium.common.figures import DecidedAction, DecisionSource
from modelium.common.testing import InMemoryBus
from modelium.core.digest import digest_of_tick
from tests.unit.brain.kit import deciding, figures, tick


def a_tick(*, idle_s: float) -> MetricsTick:
    return tick(figures("qwen", idle_s=idle_s, held_bytes=1, needed_bytes=1))


async def answers(*ticks: MetricsTick, **changes: Any) -> list[DecisionMade]:
    bus = InMemoryBus()
    brain = deciding(None, bus, **changes)
    for each in ticks:
        await brain.on_tick(each)
    return [message for message in bus.of(DecisionMade) if isinstance(message, DecisionMade)]


async def test_a_tick_in_which_something_should_change_is_answered_with_a_decision() -> None:
    seen = a_tick(idle_s=61)
    (answer,) = await answers(seen)
    assert (answer.origin, answer.source, answer.advisor) == (
        "brain",
        DecisionSource.RULES,
        "rules",
    )
    assert answer.inputs_digest == digest_of_tick(seen)
    assert [(d.model, d.action) for d in answer.decisions] == [("qwen", DecidedAction.EVICT)]


async def test_ticks_that_change_nothing_are_answered_every_second_time() -> None:
    ticks = [a_tick(idle_s=i) for i in range(5)]
    given = await answers(*ticks)
    assert [a.inputs_digest for a in given] == [digest_of_tick(ticks[i]) for i in (0, 2, 4)]
    assert all(answer.decisions == () for answer in given)


async def test_no_two_ticks_in_a_row_stay_without_an_answer() -> None:
    """The orchestrator would take the brain for dead."""
    ticks = [a_tick(idle_s=61 if i in (1, 2, 5) else i) for i in range(9)]
    given = {answer.inputs_digest for answer in await answers(*ticks)}
    answered = [digest_of_tick(each) in given for each in ticks]
    assert all(one or other for one, other in pairwise(answered))


async def test_a_decision_is_always_answered() -> None:
    assert len(await answers(*[a_tick(idle_s=61 + i) for i in range(4)])) == 4


async def test_where_the_rules_may_not_answer_and_nobody_else_is_there_nothing_is_said() -> None:
    assert await answers(a_tick(idle_s=61), rules_may_answer=False) == []


async def test_without_a_language_model_the_status_says_that_the_rules_lead() -> None:
    status = await on_brain_asked(BrainAsked(), deciding=deciding(None, InMemoryBus()), tuner=None)
    assert (status.backend, status.advisor, status.standing.leader) == ("rules", "rules", "rules")
    assert status.asked == 0
