"""The end of a stream of events whose client has left while it was told something."""

from anyio import BrokenResourceError

from modelium.common.health import AsgiApp
from modelium.gateway.edge.call import Receive, Scope, Send


async def told_while_there(app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let `app` answer. FastAPI raises where a client leaves between two events."""
    try:
        await app(scope, receive, send)
    except* BrokenResourceError:
        pass
