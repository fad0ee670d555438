"""What the gateway listens to."""

from modelium.common.bus import Handlers
from modelium.common.events import GatewayStats, ModelStateChanged
from modelium.gateway.engines.dispatch import Dispatch
from modelium.gateway.engines.model_updates import ModelUpdates


async def on_model_state_changed(message: ModelStateChanged, *, updates: ModelUpdates) -> None:
    """Route by the record from now on."""
    if message.record is None:
        updates.forget(message.model)
    else:
        updates.apply(message.record)


async def on_gateway_stats(message: GatewayStats, *, dispatch: Dispatch) -> None:
    """Count what the other gateways have in flight."""
    dispatch.heard(message)


HANDLERS: Handlers = {
    ModelStateChanged: on_model_state_changed,
    GatewayStats: on_gateway_stats,
}
