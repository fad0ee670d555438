"""Which ticks are answered. Pure but for its own memory.

Every answer is kept for a week, so an answer with nothing in it is given only to every second
tick: enough for the orchestrator to know that the brain is there, which it doubts after two ticks
without an answer.
"""

from dataclasses import dataclass

from modelium.common.figures import Decision


@dataclass(slots=True)
class Answering:
    """Remembers whether the last tick was answered."""

    silent: bool = True

    def is_due(self, decisions: tuple[Decision, ...]) -> bool:
        """Whether this tick gets an answer; ask once per tick."""
        self.silent = not (decisions or self.silent)
        return not self.silent
