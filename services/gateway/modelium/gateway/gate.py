"""Whether new requests are let in."""

from dataclasses import dataclass

from modelium.gateway.edge import errors_http as errors


@dataclass(kw_only=True)
class Gate:
    """Closed while the gateway starts and stops."""

    known: bool = False
    """Whether the models were read once: before that, an unknown model proves nothing."""
    stopping: bool = False

    async def is_known(self) -> bool:
        """Whether requests can be answered; for readiness."""
        return self.known

    def refuse_if_closed(self) -> None:
        """Raise ApiError 503 while it is closed."""
        if self.stopping:
            raise errors.stopping()
        if not self.known:
            raise errors.unavailable("The gateway is starting; it does not know its models yet.")
