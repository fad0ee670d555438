"""Answers what would happen if a model were asked for now.

The answer is made by the one task that owns the state, between two decisions, of what it decides
by; whoever asks waits for that.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from modelium.common.plans import Plan, PlanAnswer

STARTING = "it has just started, or NATS is away: it does not know everything it needs yet"


@dataclass(frozen=True, eq=False)
class Asked:
    """Somebody wants to know it of this model."""

    model: str
    answer: asyncio.Future[PlanAnswer] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def tell(self, plan: Callable[[str], Plan | None] | None) -> None:
        """Answer with what `plan` says of the model; None: nobody can say yet."""
        if self.answer.done():
            return  # whoever asked has gone
        if plan is None:
            self.answer.set_result(PlanAnswer(plan=None, problem=STARTING))
            return
        planned = plan(self.model)
        problem = "" if planned else f"it does not know a model {self.model} yet"
        self.answer.set_result(PlanAnswer(plan=planned, problem=problem))
