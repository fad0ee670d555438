"""A language model as the advisor of a replay: asked as the brain asks it, and waited for.

Unlike in the running system it leads from the start, and nothing happens while it thinks. Where it
does not answer, the rules do.
"""

from dataclasses import dataclass, field

from modelium.cli.asking import Asker
from modelium.common.advice import MetricsTick
from modelium.common.clock import Clock, SystemClock
from modelium.common.figures import Decision
from modelium.core import rules
from modelium.core.contest import contest
from modelium.core.policy import Policy
from modelium.core.prompts import NoAnswer, about_decisions, decisions_of


@dataclass(slots=True)
class AskedBrain:
    """Implements `Advisor`, and counts how it did."""

    policy: Policy
    asker: Asker
    clock: Clock = field(default_factory=SystemClock)
    asked: int = 0
    answered: int = 0
    took_s: float = 0.0
    last_failure: str = ""

    def __call__(self, tick: MetricsTick) -> tuple[Decision, ...]:
        """What it says where there is something to choose, else what the rules say."""
        contestants = contest(tick, self.policy)
        if not contestants:
            return rules.advise(tick, self.policy)
        self.asked += 1
        began_s = self.clock.monotonic()
        try:
            said = self.asker.ask(about_decisions(tick, contestants))
            decisions = decisions_of(said, contestants)
            self.answered += 1
        except NoAnswer as none:
            self.last_failure = none.reason
            decisions = rules.advise(tick, self.policy)
        self.took_s += self.clock.monotonic() - began_s
        return decisions

    def report(self) -> str:
        """How it did, in a line."""
        if not self.asked:
            return f"brain {self.asker.name}: there was nothing to choose"
        line = (
            f"brain {self.asker.name}: asked {self.asked} times, {self.answered} answers, "
            f"{self.took_s / self.asked:.2f} s each"
        )
        if self.asker.cpu_s is not None:
            line += f", {self.asker.cpu_s / self.asked:.3f} CPU-s each"
        return f"{line}; last failure: {self.last_failure}" if self.last_failure else line
