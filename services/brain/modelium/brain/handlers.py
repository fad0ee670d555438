"""Asks the advisor, and publishes what it says."""

from typing import Final

import structlog

from modelium.brain.advisor import Advisor
from modelium.brain.answering import Answering
from modelium.common import events as ev
from modelium.common.bus import Bus, Handler
from modelium.common.policy_reader import PolicyReader
from modelium.core.digest import digest_of_descriptor, digest_of_tick

ORIGIN: Final = "brain"

log = structlog.get_logger()


async def on_metrics_tick(
    tick: ev.MetricsTick, *, advisor: Advisor, answering: Answering, bus: Bus
) -> None:
    """Advise on the figures; a tick that changes nothing is answered every second time."""
    decisions = await advisor.advise(tick)
    if not answering.is_due(decisions):
        return
    await bus.publish(
        ev.DecisionMade(
            message_id=f"{tick.message_id}-decided",
            origin=ORIGIN,
            source=advisor.source,
            inputs_digest=digest_of_tick(tick),
            decisions=decisions,
        )
    )
    if decisions:
        log.info("decision.made", decisions={d.model: d.action.value for d in decisions})


async def on_model_analyzed(event: ev.ModelAnalyzed, *, advisor: Advisor, bus: Bus) -> None:
    """Plan how the model is served; a repeated event gets the same plan under the same id."""
    plan = await advisor.plan(event.model, event.descriptor)
    await bus.publish(
        ev.DecisionMade(
            message_id=f"{event.message_id}-planned",
            origin=ORIGIN,
            source=advisor.source,
            inputs_digest=digest_of_descriptor(event.descriptor),
            plan=plan,
        )
    )
    log.info("plan.made", model=event.model, runtime=plan.runtime, needed_bytes=plan.needed_bytes)


async def on_policies_changed(_: ev.PoliciesChanged, *, reader: PolicyReader) -> None:
    """Advise by what was applied from now on."""
    reader.read_soon()


EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.ModelAnalyzed: on_model_analyzed}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.MetricsTick: on_metrics_tick,
    ev.PoliciesChanged: on_policies_changed,
}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {**EVENT_HANDLERS, **LIVE_HANDLERS}
