"""What the gateway listens to."""

from modelium.common.bus import Handlers
from modelium.common.events import ModelStateChanged
from modelium.gateway.engines.model_updates import ModelUpdates


async def on_model_state_changed(message: ModelStateChanged, *, updates: ModelUpdates) -> None:
    """Route by the record from now on."""
    if message.record is None:
        updates.forget(message.model)
    else:
        updates.apply(message.record)


HANDLERS: Handlers = {ModelStateChanged: on_model_state_changed}
