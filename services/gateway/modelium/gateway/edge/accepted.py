"""The answer 202 to a client that would not wait for its model (`Prefer: respond-async`).

The request itself is not kept: the client sends it again when the status says `loaded`.
"""

import json
from dataclasses import dataclass

from modelium.gateway.edge.api_error import Loading
from modelium.gateway.edge.preferences import Preferences, applied


def status_url(model: str) -> str:
    """Where the state of a model, and so of its load, is shown."""
    return f"/models/{model}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The model is being loaded."""

    model: str
    loading: Loading
    preferences: Preferences

    status = 202

    def encoded(self) -> bytes:
        """The body."""
        value = {
            "model": self.model,
            "state": self.loading.state,
            "position": self.loading.position,
            "eta_s": self.loading.eta_s,
            "status_url": status_url(self.model),
        }
        return json.dumps(value).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """`Location`, and which preferences were honoured."""
        location = (b"location", status_url(self.model).encode())
        return [location, *applied(self.preferences, answered_async=True)]
