"""The advisor that is always there: the rules of the core."""

from collections.abc import Callable
from typing import Final

from modelium.brain.planning import plan
from modelium.common.descriptor import Descriptor
from modelium.common.events import MetricsTick
from modelium.common.figures import Decision, DecisionSource, DeploymentPlan
from modelium.core import rules
from modelium.core.policy import MemoryPolicy, Policy

NAME: Final = "rules"


class RulesAdvisor:
    """Answers at once. `policy` says which counts now."""

    source = DecisionSource.RULES
    name = NAME

    def __init__(self, *, policy: Callable[[], Policy], memory: MemoryPolicy) -> None:
        self._policy = policy
        self._memory = memory

    @property
    def policy(self) -> Policy:
        """By which it advises now."""
        return self._policy()

    def advise(self, tick: MetricsTick) -> tuple[Decision, ...]:
        """What should become of the models, for those where something should change."""
        return rules.advise(tick, self.policy)

    def plan(self, model: str, descriptor: Descriptor) -> DeploymentPlan:
        """How a newly analysed model should be served."""
        return plan(model, descriptor, self._memory)
