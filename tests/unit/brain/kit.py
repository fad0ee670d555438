"""Ticks, and a language model that says what it is told to."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from modelium.brain.advisor import RulesAdvisor
from modelium.brain.deciding import Deciding
from modelium.brain.language_model import LanguageModel
from modelium.common.advice import MetricsTick
from modelium.common.clock import Clock
from modelium.common.figures import DeviceFigures, ModelFigures
from modelium.common.records import ModelState
from modelium.common.settings import RayServe, Vllm
from modelium.common.testing import FakeClock, InMemoryBus
from modelium.core.policy import Policy, memory_policy
from modelium.core.prompts import NoAnswer, Prompt

GB = 10**9
POLICY = Policy(evict_after_idle_s=60, evict_idle_always=True)
DEVICE = DeviceFigures(device_id="gpu-0", total_bytes=24 * GB, free_bytes=1 * GB)


def figures(model: str, **changes: Any) -> ModelFigures:
    """A loaded model that is idle, with 8 GB of `gpu-0`."""
    known: dict[str, Any] = {
        "model": model,
        "state": ModelState.LOADED,
        "pinned": False,
        "rate_per_s": 0,
        "idle_s": 30,
        "in_flight": 0,
        "waiting": 0,
        "oldest_wait_s": 0,
        "loaded_for_s": 600,
        "reload_s": 20,
        "next_use_s": 300,
        "device_ids": ("gpu-0",),
        "held_bytes": 8 * GB,
        "needed_bytes": 8 * GB,
    }
    return ModelFigures(**known | changes)


def cold(model: str, **changes: Any) -> ModelFigures:
    """One without an engine."""
    known = {"state": ModelState.UNLOADED, "device_ids": (), "held_bytes": 0}
    return figures(model, **known | {"loaded_for_s": None} | changes)


def tick(*models: ModelFigures, **changes: Any) -> MetricsTick:
    """Of one device, which is nearly full."""
    known: dict[str, Any] = {"interval_s": 10, "models": models, "devices": (DEVICE,)}
    return MetricsTick(**known | changes)


@dataclass
class Scripted:
    """A backend; an answer that is an exception is raised, None never comes."""

    answers: list[str | NoAnswer | None]
    name: str = "scripted"
    asked: list[Prompt] = field(default_factory=list)

    async def ask(self, prompt: Prompt) -> str:
        self.asked.append(prompt)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, NoAnswer):
            raise answer
        return str(answer)

    async def run(self) -> None:
        """Nothing is kept up."""

    async def close(self) -> None:
        """Nothing is held."""


def rules(policy: Policy = POLICY) -> RulesAdvisor:
    return RulesAdvisor(policy=lambda: policy, memory=memory_policy(Vllm(), RayServe()))


def deciding(
    backend: Scripted | None, bus: InMemoryBus, clock: Clock | None = None, **changes: Any
) -> Deciding:
    clock = clock or FakeClock()
    known: dict[str, Any] = {
        "backend": "openai" if backend else "rules",
        "rules": rules(),
        "language_model": LanguageModel(backend, deadline_s=0.05, clock=clock) if backend else None,
        "rules_may_answer": True,
        "bus": bus,
        "clock": clock,
    }
    return Deciding(**known | changes)
