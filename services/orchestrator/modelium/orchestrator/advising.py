"""Tells the brain what was gathered, and sees to it that somebody's advice counts."""

import structlog

from modelium.common.bus import Bus
from modelium.common.events import DecisionMade, MetricsTick
from modelium.common.figures import Decision, DecisionSource
from modelium.common.load_settings import Settings
from modelium.common.settings import Mode
from modelium.core import rules
from modelium.core.digest import digest_of_tick
from modelium.core.guard import guard
from modelium.core.policy import Policy
from modelium.core.snapshot import Snapshot
from modelium.core.ticks import figures_of_devices, figures_of_models
from modelium.orchestrator.advice import Advice
from modelium.orchestrator.carrying_out import ORIGIN, publish
from modelium.orchestrator.placement_state import PlacementState

log = structlog.get_logger()


class Advising:
    """Belongs to the owner of the state."""

    def __init__(
        self, *, bus: Bus, state: PlacementState, settings: Settings, policy: Policy, now_s: float
    ) -> None:
        simple = settings.orchestration.mode is Mode.SIMPLE
        self._bus = bus
        self._state = state
        self.policy = policy
        self._interval_s = settings.orchestration.decision_interval_seconds
        self._rules_may_lead = simple or settings.modelium_brain.fallback_to_rules
        self.advice = Advice(
            brain_expected=settings.modelium_brain.enabled and not simple,
            valid_for_s=1.5 * self._interval_s,
        )
        self._ticked_at_s = now_s
        self._ended: dict[str, int] = {}
        self._brain_led = True
        self._published: tuple[Decision, ...] = ()

    async def tick_if_due(self, seen: Snapshot, now_s: float) -> None:
        """Once per decision interval: publish the figures; the rules answer if nobody else does."""
        elapsed_s = now_s - self._ticked_at_s
        if elapsed_s < self._interval_s:
            return
        self._ticked_at_s = now_s
        tick = MetricsTick(
            interval_s=elapsed_s,
            models=figures_of_models(
                seen, self.policy, self._rates(seen, elapsed_s), self._latencies_s(seen, now_s)
            ),
            devices=figures_of_devices(seen),
        )
        self._note_who_leads()
        if not self.advice.brain_leads and self._rules_may_lead:
            await self._let_rules_advise(tick, now_s)
        self.advice.ticked(digest_of_tick(tick))
        await publish(self._bus, tick)

    async def brain_said(self, message: DecisionMade, seen: Snapshot, now_s: float) -> None:
        """Follow the brain's decisions on one of the last ticks, but for those the guard drops."""
        if not self.advice.answered(message):
            return
        guarded = guard(message.decisions, seen, self.policy)
        self.advice.follow(guarded, now_s)
        dropped = tuple(decision for decision in guarded if decision.dropped_by)
        if dropped:
            await publish(self._bus, _made(message.source, message.inputs_digest, dropped))

    async def _let_rules_advise(self, tick: MetricsTick, now_s: float) -> None:
        decisions = rules.advise(tick, self.policy)
        self.advice.follow(decisions, now_s)
        if decisions and _what(decisions) != _what(self._published):
            await publish(self._bus, _made(DecisionSource.RULES, digest_of_tick(tick), decisions))
        self._published = decisions

    def _note_who_leads(self) -> None:
        leads = self.advice.brain_leads
        if leads != self._brain_led:
            log.info("advice.leader_changed", leader="brain" if leads else "rules")
        self._brain_led = leads

    def _latencies_s(self, seen: Snapshot, now_s: float) -> dict[str, float | None]:
        demand = self._state.demand
        return {m.model: demand.of(m.model, now_s).latency_p50_s for m in seen.models}

    def _rates(self, seen: Snapshot, elapsed_s: float) -> dict[str, float]:
        ended = {model.model: self._state.demand.ended(model.model) for model in seen.models}
        before, self._ended = self._ended, ended
        return {m: max(0, count - before.get(m, 0)) / elapsed_s for m, count in ended.items()}


def _made(
    source: DecisionSource, inputs_digest: str, decisions: tuple[Decision, ...]
) -> DecisionMade:
    return DecisionMade(
        origin=ORIGIN, source=source, inputs_digest=inputs_digest, decisions=decisions
    )


def _what(decisions: tuple[Decision, ...]) -> set[tuple[str, str]]:
    return {(decision.model, decision.action) for decision in decisions}
