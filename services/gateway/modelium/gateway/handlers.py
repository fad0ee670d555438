"""What the gateway listens to."""

from modelium.common.bus import Handlers
from modelium.common.events import (
    AdvisorChanged,
    AgentHeartbeat,
    GatewayStats,
    KeyChanged,
    MetricsTick,
    ModelStateChanged,
    PoliciesChanged,
    RequestCancelAsked,
    RequestsAsked,
)
from modelium.common.ongoing_requests import CancelAnswer, RequestsAnswer
from modelium.common.policy_reader import PolicyReader
from modelium.gateway.access.key_table import KeyTable
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.model_updates import ModelUpdates
from modelium.gateway.live.advising import Advising
from modelium.gateway.live.board import Board
from modelium.gateway.reporting.requests import Requests


async def on_model_state_changed(message: ModelStateChanged, *, updates: ModelUpdates) -> None:
    """Route by the record from now on."""
    if message.record is None:
        updates.forget(message.model)
    else:
        updates.apply(message.record)


async def on_gateway_stats(message: GatewayStats, *, dispatch: Dispatch, board: Board) -> None:
    """Count what the other gateways have in flight, and show what all of them do."""
    dispatch.heard(message)
    board.heard_figures(message)


async def on_agent_heartbeat(message: AgentHeartbeat, *, board: Board) -> None:
    """Show devices and engines."""
    board.heard_devices(message)


async def on_metrics_tick(message: MetricsTick, *, board: Board) -> None:
    """Show which engines can sleep."""
    board.heard_tick(message)


async def on_key_changed(message: KeyChanged, *, keys: KeyTable) -> None:
    """Read the keys again."""
    keys.read_soon()


async def on_policies_changed(_: PoliciesChanged, *, policies: PolicyReader) -> None:
    """Know which models are always loaded."""
    policies.read_soon()


async def on_advisor_changed(_: AdvisorChanged, *, advising: Advising) -> None:
    """Ask who leads now."""
    advising.changed()


async def on_requests_asked(_: RequestsAsked, *, requests: Requests) -> RequestsAnswer:
    """Tell which requests there are."""
    return requests.answer()


async def on_request_cancel_asked(
    question: RequestCancelAsked, *, requests: Requests
) -> CancelAnswer:
    """End those of this id."""
    return requests.cancel(question.request_id)


LIVE_HANDLERS: Handlers = {
    ModelStateChanged: on_model_state_changed,
    GatewayStats: on_gateway_stats,
    AgentHeartbeat: on_agent_heartbeat,
    MetricsTick: on_metrics_tick,
    KeyChanged: on_key_changed,
    PoliciesChanged: on_policies_changed,
    AdvisorChanged: on_advisor_changed,
}
QUESTION_HANDLERS: Handlers = {
    RequestsAsked: on_requests_asked,
    RequestCancelAsked: on_request_cancel_asked,
}
HANDLERS: Handlers = {**LIVE_HANDLERS, **QUESTION_HANDLERS}
