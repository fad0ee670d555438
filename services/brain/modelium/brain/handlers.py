"""Asks the advisors, publishes what they say, and tells how they stand."""

from typing import Final

from modelium.brain.deciding import Deciding
from modelium.brain.plans import Plans
from modelium.common import events as ev
from modelium.common.advice import BrainStatus
from modelium.common.bus import Handler
from modelium.common.policy_reader import PolicyReader


async def on_metrics_tick(tick: ev.MetricsTick, *, deciding: Deciding, plans: Plans) -> None:
    """Advise on the figures, and then on how a new model is to be served."""
    await deciding.on_tick(tick)
    await plans.next()


async def on_model_analyzed(event: ev.ModelAnalyzed, *, plans: Plans) -> None:
    """Plan how the model is served."""
    await plans.on_analyzed(event)


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
