"""What a language model would try on the recent demand, beside the usual candidates.

It is asked between two ticks, when it has nothing else to answer: once after each round, until it
has answered for the policies that are in force.
"""

import structlog

from modelium.brain.demand import Demand
from modelium.brain.language_model import LanguageModel
from modelium.common.policies import PoliciesInForce
from modelium.common.settings_policies import Policies
from modelium.core.prompts import NoAnswer
from modelium.core.tuning_question import about_tuning, proposed

log = structlog.get_logger()


class Proposing:
    """Belongs to the brain's process; without a language model nothing is proposed."""

    def __init__(
        self, *, language_model: LanguageModel | None, policies: PoliciesInForce, demand: Demand
    ) -> None:
        self._llm = language_model
        self._policies = policies
        self._demand = demand
        self._due = False
        self._for: Policies | None = None
        self._candidates: dict[str, Policies] = {}

    def candidates(self, now: Policies) -> dict[str, Policies]:
        """What was proposed instead of these, by name; asks again where nothing was."""
        self._due = self._for != now
        return {} if self._due else self._candidates

    async def next(self) -> None:
        """Ask, if it is time and there is somebody to ask."""
        if self._llm is None or not self._due:
            return
        self._due = False
        now, settled = self._policies.current, self._policies.settled
        question = about_tuning(now, settled, self._demand.figures())
        if question is None:
            return
        try:
            said = await self._llm.propose(question)
            self._candidates = proposed(said, now, settled)
        except NoAnswer as none:
            log.info("tuning.no_proposal", reason=none.reason)
            return
        self._for = now
        log.info("tuning.proposed", advisor=self._llm.name, candidates=list(self._candidates))
