"""One tick: ask the rules, and a language model where there is something to choose.

While the rules lead, their answer goes out at once, and the language model's after it, for
comparison. While the language model leads it is waited for, until its deadline: the rules answer in
its place if it is late or broken.
"""

from collections.abc import Iterator
from typing import Final

import structlog

from modelium.brain import metrics
from modelium.brain.advisor import RulesAdvisor
from modelium.brain.answering import Answering
from modelium.brain.language_model import Answer, LanguageModel
from modelium.brain.seat import MOST_FAILURES, Seat
from modelium.common.advice import (
    AdvisorChanged,
    BrainStatus,
    DecisionJudged,
    DecisionMade,
    MetricsTick,
)
from modelium.common.bus import Bus
from modelium.common.clock import Clock
from modelium.common.figures import Decision, DecisionSource
from modelium.core.contest import Contestant, contest
from modelium.core.digest import digest_of_tick
from modelium.core.prompts import DECISIONS
from modelium.core.regret import Dispute, cost_s, outcome

ORIGIN: Final = "brain"

log = structlog.get_logger()


class Deciding:
    """Handles ticks one after the other."""

    def __init__(
        self,
        *,
        backend: str,
        rules: RulesAdvisor,
        language_model: LanguageModel | None,
        rules_may_answer: bool,
        bus: Bus,
        clock: Clock,
    ) -> None:
        """`rules_may_answer`: False and no language model means that nobody does."""
        self._backend = backend
        self._rules = rules
        self._llm = language_model
        self._rules_may_answer = rules_may_answer
        self._bus = bus
        self._clock = clock
        self._answering = Answering()
        self.seat = Seat(unknown_load_s=rules.policy.unknown_load_s)

    async def on_tick(self, tick: MetricsTick) -> None:
        """Judge what was said before, then advise."""
        led_changed, judged = self.seat.watch(tick, self._clock.monotonic())
        for case in judged:
            for message in _what_came_of(case):
                await self._bus.publish(message)
        if led_changed:
            regret_s = self.seat.standing.regret_s
            await self._tell_of_change(
                f"its advice cost {regret_s:+.2f} s of waiting for each disagreement, beside the "
                "rules'"
            )
        metrics.stands(self.seat.standing)
        by_rules = self._by_rules_in_time(tick) if self._rules_may_answer else ()
        contestants = contest(tick, self._rules.policy) if self._llm else ()
        if not contestants or self._llm is None:
            await self._answer(tick, by_rules)
        elif self.seat.llm_leads or not self._rules_may_answer:
            await self._let_llm_lead(self._llm, tick, contestants, by_rules)
        else:
            await self._answer(tick, by_rules)
            answer = await self._llm.decide(tick, contestants)
            await self._publish(_by_llm(self._llm, tick, answer, shadow=True))
            self._note(tick, contestants, answer, by_rules)

    def _by_rules_in_time(self, tick: MetricsTick) -> tuple[Decision, ...]:
        began_s = self._clock.monotonic()
        decisions = self._rules.advise(tick)
        took_s = self._clock.monotonic() - began_s
        metrics.DURATION.labels(DecisionSource.RULES).observe(took_s)
        return decisions

    async def _let_llm_lead(
        self,
        llm: LanguageModel,
        tick: MetricsTick,
        contestants: tuple[Contestant, ...],
        by_rules: tuple[Decision, ...],
    ) -> None:
        answer = await llm.decide(tick, contestants)
        if answer.failure:
            await self._answer(tick, by_rules, failure=answer.failure)
            if self.seat.failed():
                await self._tell_of_change(f"it failed {MOST_FAILURES} times: {answer.failure}")
            return
        await self._publish(_by_llm(llm, tick, answer, shadow=False))
        await self._publish(self._by_rules(tick, by_rules, shadow=True))
        self._note(tick, contestants, answer, by_rules)

    async def _answer(
        self, tick: MetricsTick, decisions: tuple[Decision, ...], failure: str = ""
    ) -> None:
        """By the rules; a tick that changes nothing is answered every second time."""
        if self._rules_may_answer and (self._answering.is_due(decisions) or failure):
            await self._publish(self._by_rules(tick, decisions, shadow=False, failure=failure))

    def _note(
        self,
        tick: MetricsTick,
        contestants: tuple[Contestant, ...],
        answer: Answer,
        by_rules: tuple[Decision, ...],
    ) -> None:
        if not answer.failure:
            leads = self.seat.llm_leads or not self._rules_may_answer
            self.seat.note(
                contestants,
                llm=answer.decisions,
                rules=by_rules,
                devices=tick.devices,
                now_s=self._clock.monotonic(),
                llm_id=_message_id(tick, shadow=not leads),
                rules_id=_message_id(tick, shadow=leads),
            )

    def _by_rules(
        self, tick: MetricsTick, decisions: tuple[Decision, ...], *, shadow: bool, failure: str = ""
    ) -> DecisionMade:
        return DecisionMade(
            message_id=_message_id(tick, shadow=shadow),
            origin=ORIGIN,
            source=DecisionSource.RULES,
            advisor=self._rules.name,
            inputs_digest=digest_of_tick(tick),
            decisions=decisions,
            shadow=shadow,
            failure=failure,
        )

    async def _publish(self, message: DecisionMade) -> None:
        await self._bus.publish(message)
        metrics.decided(message)
        if message.decisions or message.failure:
            log.info(
                "decision.made",
                advisor=message.advisor,
                shadow=message.shadow,
                failure=message.failure,
                decisions={d.model: d.action.value for d in message.decisions},
            )

    async def _tell_of_change(self, why: str) -> None:
        leads = "leads from now on" if self.seat.llm_leads else "has lost the lead to the rules"
        reason = f"{self._advisor} {leads}: {why}"
        log.info("advisor.changed", reason=reason)
        standing = self.seat.standing
        metrics.leader_changed(standing)
        change = AdvisorChanged(advisor=self._advisor, standing=standing, reason=reason)
        await self._bus.publish(change)

    @property
    def _advisor(self) -> str:
        return self._llm.name if self._llm else self._rules.name

    def status(self) -> BrainStatus:
        """Who leads, and how the language model did."""
        status = BrainStatus(
            backend=self._backend, advisor=self._advisor, standing=self.seat.standing
        )
        if self._llm is None:
            return status
        last = self._llm.last
        return status.model_copy(
            update={
                "asked": self._llm.asked,
                "answered": self._llm.answered,
                "undecided": len(self.seat.disputes),
                "last_failure": last.failure,
                "took_s": last.took_s if self._llm.asked else None,
            }
        )


def _message_id(tick: MetricsTick, *, shadow: bool) -> str:
    return f"{tick.message_id}-{'shadow' if shadow else 'decided'}"


def _what_came_of(case: Dispute) -> Iterator[DecisionJudged]:
    """Of what the language model said, and of what the rules did."""
    sides = (
        (case.llm_id, DecisionSource.LLM, case.llm, case.rules),
        (case.rules_id, DecisionSource.RULES, case.rules, case.llm),
    )
    for decision_id, source, action, other in sides:
        yield DecisionJudged(
            message_id=f"{decision_id}-{case.model}-judged",
            decision_id=decision_id,
            model=case.model,
            source=source,
            action=action,
            cost_s=cost_s(action, case),
            outcome=outcome(action, other, case),
        )


def _by_llm(llm: LanguageModel, tick: MetricsTick, answer: Answer, *, shadow: bool) -> DecisionMade:
    return DecisionMade(
        message_id=_message_id(tick, shadow=shadow),
        origin=ORIGIN,
        source=DecisionSource.LLM,
        advisor=llm.name,
        prompt=DECISIONS,
        inputs_digest=digest_of_tick(tick),
        decisions=answer.decisions,
        shadow=shadow,
        took_s=answer.took_s,
        failure=answer.failure,
    )
