"""The advisor that asks a language model, within its deadline and without ever raising for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from modelium.brain.backend import Backend
from modelium.common.advice import MetricsTick
from modelium.common.clock import Clock
from modelium.common.descriptor import Descriptor
from modelium.common.figures import Decision, DeploymentPlan
from modelium.core import prompts
from modelium.core.contest import Contestant
from modelium.core.deployment import PlanOptions, about_plan, plan_of
from modelium.core.prompts import NoAnswer, Prompt


@dataclass(frozen=True, slots=True)
class Answer:
    """What a language model said, or why it said nothing."""

    decisions: tuple[Decision, ...] = ()
    failure: str = ""
    took_s: float = 0.0


class LanguageModel:
    """Counts how it did."""

    def __init__(self, backend: Backend, *, deadline_s: float, clock: Clock) -> None:
        self.name = backend.name
        self.asked = 0
        self.answered = 0
        self.last = Answer()
        self._backend = backend
        self._deadline_s = deadline_s
        self._clock = clock

    async def decide(self, tick: MetricsTick, contestants: Sequence[Contestant]) -> Answer:
        """What should become of the contestants; in time, whatever the backend does."""
        self.asked += 1
        began_s = self._clock.monotonic()
        try:
            said = await self._said(prompts.about_decisions(tick, contestants))
            answer = Answer(prompts.decisions_of(said, contestants))
            self.answered += 1
        except NoAnswer as none:
            answer = Answer(failure=none.reason)
        took_s = self._clock.monotonic() - began_s
        self.last = Answer(answer.decisions, answer.failure, took_s)
        return self.last

    async def plan(
        self, descriptor: Descriptor, options: PlanOptions, by_rules: DeploymentPlan
    ) -> tuple[DeploymentPlan, float]:
        """How a new model should be served, and the seconds that took; it does not count.

        Raises:
            NoAnswer: there is no such answer in time.
        """
        began_s = self._clock.monotonic()
        said = await self._said(about_plan(descriptor, options))
        return plan_of(said, options, by_rules), self._clock.monotonic() - began_s

    async def propose(self, question: Prompt) -> str:
        """What it says to a question whose answer others read; it does not count.

        Raises:
            NoAnswer: there is none in time.
        """
        return await self._said(question)

    async def _said(self, prompt: Prompt) -> str:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._backend.ask(prompt)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._deadline_s:g} s") from None
