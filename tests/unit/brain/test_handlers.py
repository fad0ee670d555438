"""What the brain says, and how often."""

from itertools import pairwise
from typing import Any

from modelium.brain.handlers import on_brain_asked, on_model_analyzed
from modelium.common.advice import BrainAsked
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import DecisionMade, MetricsTick, ModelAnalyzed
from modelium.common.figures import DecidedAction, DecisionSource
from modelium.common.settings import Vllm
from modelium.common.testing import InMemoryBus, a_descriptor
from modelium.core.digest import digest_of_descriptor, digest_of_tick
from tests.unit.brain.kit import deciding, figures, rules, tick


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


async def test_a_new_model_gets_a_plan_and_a_repeated_event_the_same() -> None:
    bus, descriptor = InMemoryBus(), a_descriptor()
    event = ModelAnalyzed(
        model="qwen", path="/models/qwen", fingerprint="f1", size_bytes=1, descriptor=descriptor
    )
    for _ in range(2):
        await on_model_analyzed(event, rules=rules(), bus=bus)
    first, again = (m for m in bus.of(DecisionMade) if isinstance(m, DecisionMade))
    assert first.message_id == again.message_id
    assert first.inputs_digest == digest_of_descriptor(descriptor)
    assert first.plan is not None
    assert first.plan.runtime is RuntimeKind.VLLM
    assert first.plan.needed_bytes == 2 * 1_000_000_000 + Vllm().kv_cache_bytes + (
        Vllm().overhead_bytes
    )
    assert "Qwen2ForCausalLM for chat runs on vllm: 1.9 GiB of weights" in first.plan.reasoning


async def test_without_a_language_model_the_status_says_that_the_rules_lead() -> None:
    status = await on_brain_asked(BrainAsked(), deciding=deciding(None, InMemoryBus()))
    assert (status.backend, status.advisor, status.standing.leader) == ("rules", "rules", "rules")
    assert status.asked == 0
