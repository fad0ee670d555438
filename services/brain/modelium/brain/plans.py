"""Deployment plans of new models by a language model, beside those of the rules.

Nobody waits for them, so they are made one after each tick, when the language model is not asked
about anything else.
"""

from collections import deque
from collections.abc import Callable, Collection
from typing import Final

import structlog

from modelium.brain.advisor import RulesAdvisor
from modelium.brain.deciding import ORIGIN
from modelium.brain.language_model import LanguageModel
from modelium.common.bus import Bus
from modelium.common.descriptor import RuntimeKind
from modelium.common.events import DecisionMade, ModelAnalyzed
from modelium.common.figures import DecisionSource
from modelium.core.deployment import PLAN, guarded, options_of
from modelium.core.digest import digest_of_descriptor
from modelium.core.prompts import NoAnswer, NotReady

MOST_WAITING: Final = 200
"""New models; of more than that the oldest get no plan but the rules'."""

log = structlog.get_logger()


class Plans:
    """Belongs to the brain's process; `leads` says whether the language model does."""

    def __init__(
        self,
        *,
        rules: RulesAdvisor,
        language_model: LanguageModel | None,
        leads: Callable[[], bool],
        enabled: Collection[RuntimeKind],
        most_seqs: int,
        bus: Bus,
    ) -> None:
        """`most_seqs`: requests that an engine runs at once where no plan says otherwise."""
        self._rules = rules
        self._llm = language_model
        self._leads = leads
        self._enabled = enabled
        self._most_seqs = most_seqs
        self._bus = bus
        self._waiting: deque[ModelAnalyzed] = deque(maxlen=MOST_WAITING)

    async def on_analyzed(self, event: ModelAnalyzed) -> None:
        """The rules' plan at once; a repeated event gets the same plan under the same id."""
        plan = self._rules.plan(event.model, event.descriptor)
        await self._bus.publish(
            DecisionMade(
                message_id=f"{event.message_id}-planned",
                origin=ORIGIN,
                source=self._rules.source,
                advisor=self._rules.name,
                inputs_digest=digest_of_descriptor(event.descriptor),
                plan=plan,
            )
        )
        log.info(
            "plan.made", model=event.model, runtime=plan.runtime, needed_bytes=plan.needed_bytes
        )
        if self._llm is not None:
            self._waiting.append(event)

    async def next(self) -> bool:
        """The language model's plan for the next model, if it answers; whether it was asked."""
        if self._llm is None or not self._waiting:
            return False
        event = self._waiting.popleft()
        options = options_of(event.descriptor, self._enabled, self._most_seqs)
        by_rules = self._rules.plan(event.model, event.descriptor)
        try:
            plan, took_s = await self._llm.plan(event.descriptor, options, by_rules)
        except NotReady:
            self._waiting.appendleft(event)
            return True
        except NoAnswer as none:
            log.info("plan.missing", model=event.model, reason=none.reason)
            return True
        plan = guarded(plan, event.descriptor)
        await self._bus.publish(
            DecisionMade(
                message_id=f"{event.message_id}-planned-by-llm",
                origin=ORIGIN,
                source=DecisionSource.LLM,
                advisor=self._llm.name,
                prompt=PLAN,
                inputs_digest=digest_of_descriptor(event.descriptor),
                plan=plan,
                shadow=not self._leads(),
                took_s=took_s,
            )
        )
        log.info("plan.made_by_llm", model=event.model, dropped_by=plan.dropped_by)
        return True
