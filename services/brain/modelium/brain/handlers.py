"""Asks the advisors, publishes what they say, and tells how they stand."""

from typing import Final

from modelium.brain.deciding import Deciding
from modelium.brain.demand import Demand
from modelium.brain.plans import Plans
from modelium.brain.tuning.proposing import Proposing
from modelium.brain.tuning.tuner import Tuner
from modelium.common import events as ev
from modelium.common.advice import BrainStatus
from modelium.common.bus import Handler
from modelium.common.clock import Clock
from modelium.common.policy_reader import PolicyReader


async def on_metrics_tick(
    tick: ev.MetricsTick,
    *,
    deciding: Deciding,
    plans: Plans,
    demand: Demand | None,
    proposing: Proposing | None,
) -> None:
    """Advise on the figures, then on how a new model is to be served, and on what to try."""
    if demand is not None:
        demand.ticked(tick)
    await deciding.on_tick(tick)
    asked = await plans.next()
    if proposing is not None and not asked:
        await proposing.next()


async def on_gateway_stats(stats: ev.GatewayStats, *, demand: Demand | None, clock: Clock) -> None:
    """Note the demand, where policies are fitted to it."""
    if demand is not None:
        demand.heard(stats, clock.monotonic())


async def on_model_analyzed(event: ev.ModelAnalyzed, *, plans: Plans) -> None:
    """Plan how the model is served."""
    await plans.on_analyzed(event)


async def on_policies_changed(_: ev.PoliciesChanged, *, reader: PolicyReader) -> None:
    """Advise by what was applied from now on."""
    reader.read_soon()


async def on_brain_asked(
    _: ev.BrainAsked, *, deciding: Deciding, tuner: Tuner | None
) -> BrainStatus:
    """Tell who leads, and why, and what became of the policies."""
    status = deciding.status()
    return status.model_copy(update={"tuning": tuner.status()}) if tuner else status


EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.ModelAnalyzed: on_model_analyzed}
TICK_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.MetricsTick: on_metrics_tick}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.GatewayStats: on_gateway_stats,
    ev.PoliciesChanged: on_policies_changed,
}
QUESTION_HANDLERS: Final[dict[type[ev.Message], Handler]] = {ev.BrainAsked: on_brain_asked}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    **EVENT_HANDLERS,
    **TICK_HANDLERS,
    **LIVE_HANDLERS,
    **QUESTION_HANDLERS,
}
