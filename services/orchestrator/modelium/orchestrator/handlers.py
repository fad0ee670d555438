"""Hands every message to the owner of the state; decides nothing."""

from typing import Final

from modelium.common import events as ev
from modelium.common.bus import Handler
from modelium.orchestrator.owner import Owner


async def on_message(message: ev.Message, *, owner: Owner) -> None:
    """Posted is handled: whatever is lost with this process is said again by its sender."""
    owner.post(message)


EVENT_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.ModelRequested: on_message,
    ev.ModelUnloadRequested: on_message,
    ev.DecisionMade: on_message,
}
LIVE_HANDLERS: Final[dict[type[ev.Message], Handler]] = {
    ev.ModelStateChanged: on_message,
    ev.AgentHeartbeat: on_message,
    ev.GatewayStats: on_message,
    ev.MemoryMeasured: on_message,
}
HANDLERS: Final[dict[type[ev.Message], Handler]] = {**EVENT_HANDLERS, **LIVE_HANDLERS}
