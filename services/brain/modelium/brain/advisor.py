"""What the brain asks somebody to think about, and the advisor that is always there: the rules."""

from collections.abc import Callable
from typing import Protocol

from modelium.brain.planning import plan
from modelium.common.descriptor import Descriptor
from modelium.common.events import MetricsTick
from modelium.common.figures import Decision, DecisionSource, DeploymentPlan
from modelium.core import rules
from modelium.core.policy import MemoryPolicy, Policy


class Advisor(Protocol):
    """Whoever thinks. An advisor answers in time or not at all; what it says is only advice."""

    source: DecisionSource

    async def advise(self, tick: MetricsTick) -> tuple[Decision, ...]:
        """What should become of the models, for those where something should change."""

    async def plan(self, model: str, descriptor: Descriptor) -> DeploymentPlan:
        """How a newly analysed model should be served."""


class RulesAdvisor:
    """The rules of the core; answers at once. `policy` says which counts now."""

    source = DecisionSource.RULES

    def __init__(self, *, policy: Callable[[], Policy], memory: MemoryPolicy) -> None:
        self._policy = policy
        self._memory = memory

    async def advise(self, tick: MetricsTick) -> tuple[Decision, ...]:
        return rules.advise(tick, self._policy())

    async def plan(self, model: str, descriptor: Descriptor) -> DeploymentPlan:
        return plan(model, descriptor, self._memory)
