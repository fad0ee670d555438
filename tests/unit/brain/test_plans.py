"""Deployment plans: the rules' at once, a language model's after it, and whom they are for."""

import json
from typing import Any

from modelium.brain.handlers import on_metrics_tick, on_model_analyzed
from modelium.brain.language_model import LanguageModel
from modelium.brain.plans import Plans
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import DecisionMade, ModelAnalyzed
from modelium.common.figures import DecisionSource
from modelium.common.settings import Vllm
from modelium.common.testing import FakeClock, InMemoryBus, a_descriptor
from modelium.core.digest import digest_of_descriptor
from modelium.core.prompts import NoAnswer, NotReady
from tests.unit.brain.kit import Scripted, deciding, rules, tick

DESCRIPTOR = a_descriptor()
ANALYZED = ModelAnalyzed(
    model="qwen", path="/models/qwen", fingerprint="f1", size_bytes=1, descriptor=DESCRIPTOR
)
ANSWER = json.dumps(
    {"runtime": "vllm", "device": "cuda", "seqs": "8", "cache": "on", "confidence": "low"}
)


def plans(backend: Scripted | None, bus: InMemoryBus, *, leads: bool = False) -> Plans:
    clock = FakeClock()
    return Plans(
        rules=rules(),
        language_model=LanguageModel(backend, deadline_s=0.05, clock=clock) if backend else None,
        leads=lambda: leads,
        enabled=frozenset(RuntimeKind),
        most_seqs=64,
        bus=bus,
    )


def made(bus: InMemoryBus) -> list[DecisionMade]:
    return [message for message in bus.of(DecisionMade) if isinstance(message, DecisionMade)]


async def planned(backend: Scripted | None, *, ticks: int = 1, **changes: Any) -> list[Any]:
    """What is published for one new model, in its order."""
    bus = InMemoryBus()
    makes = plans(backend, bus, **changes)
    await on_model_analyzed(ANALYZED, plans=makes)
    assert len(made(bus)) == 1  # nobody has waited
    for _ in range(ticks):
        asked = deciding(None, InMemoryBus())
        await on_metrics_tick(tick(), deciding=asked, plans=makes, demand=None, proposing=None)
    return made(bus)


async def test_a_new_model_gets_a_plan_and_a_repeated_event_the_same() -> None:
    bus = InMemoryBus()
    for _ in range(2):
        await on_model_analyzed(ANALYZED, plans=plans(None, bus))
    first, again = made(bus)
    assert first.message_id == again.message_id
    assert first.inputs_digest == digest_of_descriptor(DESCRIPTOR)
    assert first.plan is not None
    assert first.plan.runtime is RuntimeKind.VLLM
    assert first.plan.needed_bytes == 2 * 1_000_000_000 + Vllm().kv_cache_bytes + (
        Vllm().overhead_bytes
    )
    assert "Qwen2ForCausalLM for chat runs on vllm: 1.9 GiB of weights" in first.plan.reasoning


async def test_a_language_model_plans_after_the_rules_and_for_comparison_only() -> None:
    backend = Scripted([ANSWER])
    by_rules, by_llm = await planned(backend, ticks=3)
    assert (by_rules.source, by_rules.shadow) == (DecisionSource.RULES, False)
    assert (by_llm.source, by_llm.shadow, by_llm.prompt) == (DecisionSource.LLM, True, "plan-1")
    assert by_llm.plan.settings.max_num_seqs == 8
    assert by_llm.inputs_digest == by_rules.inputs_digest
    assert len(backend.asked) == 1


async def test_of_one_that_leads_it_counts() -> None:
    _, by_llm = await planned(Scripted([ANSWER]), leads=True)
    assert not by_llm.shadow


async def test_one_that_is_being_loaded_plans_when_it_is_ready() -> None:
    _, by_llm = await planned(Scripted([NotReady("it is being loaded"), ANSWER]), ticks=2)
    assert by_llm.source is DecisionSource.LLM


async def test_one_that_does_not_answer_leaves_it_to_the_rules() -> None:
    for answer in (None, "no JSON", NoAnswer("away")):
        (only,) = await planned(Scripted([answer]), leads=True)
        assert only.source is DecisionSource.RULES
