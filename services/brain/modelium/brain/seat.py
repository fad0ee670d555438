"""Who leads: the rules, until a language model has earned the seat. Pure but for its own memory.

Both are asked the same; where they disagree, a dispute is opened, and judged when enough has
happened since (`core/regret.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from modelium.common.advice import MetricsTick, Standing
from modelium.common.figures import DecidedAction, Decision, DecisionSource, DeviceFigures
from modelium.core.contest import KEEP, Contestant
from modelium.core.regret import Dispute, counted, dispute, given_up, judged

MOST_DISPUTES: Final = 200
"""Open at a time; the oldest make room."""
MOST_FAILURES: Final = 3
"""In a row, after which a language model leads no more: each costs its whole deadline."""


@dataclass(slots=True)
class Seat:
    """Belongs to the task that handles ticks."""

    unknown_load_s: float
    standing: Standing = field(default_factory=Standing)
    disputes: list[Dispute] = field(default_factory=list)
    failures: int = 0
    """Of the language model, in a row."""

    @property
    def llm_leads(self) -> bool:
        """Whether the language model's advice counts."""
        return self.standing.leader is DecisionSource.LLM

    def watch(self, tick: MetricsTick, now_s: float) -> tuple[bool, list[Dispute]]:
        """Judge what can be judged by now; whether the lead has changed hands, and what it was."""
        seen = [case.seen(tick, now_s) for case in self.disputes]
        due = [case for case in seen if case.judged_at_s <= now_s]
        self.disputes = [case for case in seen if case.judged_at_s > now_s]
        led = self.standing.leader
        self.standing = judged(self.standing, due)
        return self.standing.leader is not led, due

    def failed(self) -> bool:
        """The language model that leads did not answer; whether it loses the lead by that."""
        self.failures += 1
        if not self.llm_leads or self.failures < MOST_FAILURES:
            return False
        self.standing = given_up(self.standing)
        return True

    def note(
        self,
        contestants: Sequence[Contestant],
        *,
        llm: Iterable[Decision],
        rules: Iterable[Decision],
        devices: Sequence[DeviceFigures],
        now_s: float,
        llm_id: str,
        rules_id: str,
    ) -> None:
        """Both have answered, in decisions of these ids; one dispute of a model at a time."""
        self.failures = 0
        open_ = {case.model for case in self.disputes}
        said = {each.model: each.action for each in llm}
        by_rules = {each.model: each.action for each in rules}
        for contestant in contestants:
            model = contestant.figures.model
            actions = (
                counted(said.get(model, KEEP), contestant.figures, devices),
                counted(by_rules.get(model, KEEP), contestant.figures, devices),
            )
            if actions[0] is not actions[1] and model not in open_:
                opened = self._opened(contestant, actions, now_s)
                self.disputes.append(replace(opened, llm_id=llm_id, rules_id=rules_id))
        del self.disputes[:-MOST_DISPUTES]

    def _opened(
        self, contestant: Contestant, actions: tuple[DecidedAction, DecidedAction], now_s: float
    ) -> Dispute:
        llm, rules = actions
        return dispute(
            contestant.figures,
            llm=llm,
            rules=rules,
            now_s=now_s,
            unknown_load_s=self.unknown_load_s,
        )
