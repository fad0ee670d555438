"""Asks the advisors, publishes what they say, and tells how they stand."""

from typing import Final

import structlog

from modelium.brain.advisor import RulesAdvisor
from modelium.brain.deciding import ORIGIN, Deciding
from modelium.common import events as ev
from modelium.common.advice import BrainStatus
from modelium.common.bus import Bus, Handler
from modelium.common.policy_reader import PolicyReader
from modelium.core.digest import digest_of_descriptor

log = structlog.get_logger()


async def on_metrics_tick(tick: ev.MetricsTick, *, deciding: Deciding) -> None:
    """Advise on the figures."""
    await deciding.on_tick(tick)


async def on_model_analyzed(event: ev.ModelAnalyzed, *, rules: RulesAdvisor, bus: Bus) -> None:
    """Plan how the model is served; a repeated event gets the same plan under the same id."""
    plan = rules.plan(event.model, event.descriptor)
    await bus.publish(
        ev.DecisionMade(
            message_id=f"{event.message_id}-planned",
            origin=ORIGIN,
            source=rules.source,
            advisor=rules.name,
            inputs_digest=digest_of_descriptor(event.descriptor),
            plan=plan,
        )
    )
    log.info("plan.made", model=event.model, runtime=plan.runtime, needed_bytes=plan.needed_bytes)


async def on_policies_changed(_: ev.PoliciesChanged, *, reader: PolicyReader) -> None:
    """Advise by what was applied from now on."""
    reader.read_soon()


async def on_brain_asked(_: ev.BrainAsked, *, deciding: Deciding) -> BrainStatus:
    """Tell who leads, and why."""
    return deciding.status()


EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.ModelAnalyzed: on_model_analyzed}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.MetricsTick: on_metrics_tick,
    ev.PoliciesChanged: on_policies_changed,
}
QUESTION_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.BrainAsked: on_brain_asked}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    **EVENT_HANDLERS,
    **LIVE_HANDLERS,
    **QUESTION_HANDLERS,
}
