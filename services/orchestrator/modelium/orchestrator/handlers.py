"""Hands every message and question to the owner of the state; decides nothing."""

from typing import Final

from modelium.common import events as ev
from modelium.common.bus import Handler
from modelium.common.plans import PlanAnswer, SleepAnswer
from modelium.common.policies import PoliciesAnswer
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.planning import STARTING, Asked
from modelium.orchestrator.resync import Resync


async def on_message(message: ev.Message, *, owner: Owner) -> None:
    """Posted is handled: whatever is lost with this process is said again by its sender."""
    owner.post(message)


async def on_plan_asked(question: ev.PlanAsked, *, owner: Owner) -> PlanAnswer:
    """Answered by the owner, between two decisions."""
    asked = Asked(question.model)
    owner.post(asked)
    return await asked.answer


async def on_policies_changed(_: ev.PoliciesChanged, *, resync: Resync) -> None:
    """Read with all else, so that what is read last counts."""
    await resync.soon()


async def on_policies_asked(_: ev.PoliciesAsked, *, owner: Owner) -> PoliciesAnswer:
    """None before the store was read: something may have been applied."""
    if not owner.policies.known:
        return PoliciesAnswer(report=None, problem=STARTING)
    return PoliciesAnswer(report=owner.policies.report())


async def on_sleep_asked(question: ev.SleepAsked, *, owner: Owner) -> SleepAnswer:
    """Answered at once: it only reads."""
    obstacle = owner.sleep_obstacle(question.model)
    if obstacle is None:
        problem = f"it does not know a model {question.model} yet"
        return SleepAnswer(problem=problem)
    return SleepAnswer(obstacle=obstacle)


WISH_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.ModelRequested: on_message,
    ev.ModelUnloadRequested: on_message,
    ev.ModelSleepRequested: on_message,
    ev.ModelRetryRequested: on_message,
}
EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    **WISH_HANDLERS,
    ev.DecisionMade: on_message,
}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.ModelStateChanged: on_message,
    ev.AgentHeartbeat: on_message,
    ev.GatewayStats: on_message,
    ev.MemoryMeasured: on_message,
    ev.PoliciesChanged: on_policies_changed,
}
FOLLOWED: Final[dict[type[ev.Message], Handler]] = {
    **LIVE_HANDLERS,
    # Consumed by the one that leads; whoever takes over from it must know them too.
    **WISH_HANDLERS,
}
QUESTION_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.PlanAsked: on_plan_asked,
    ev.SleepAsked: on_sleep_asked,
    ev.PoliciesAsked: on_policies_asked,
}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    **EVENT_HANDLERS,
    **LIVE_HANDLERS,
    **QUESTION_HANDLERS,
}
