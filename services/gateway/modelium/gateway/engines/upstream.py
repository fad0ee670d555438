"""The engine's side of a request, as the hot path sees it.

`pool.py` is the implementation; another one only has to keep this contract.
"""

from typing import Protocol

from modelium.common.errors import ModeliumError
from modelium.gateway.edge.call import Call, Headers


class EngineGone(ModeliumError):
    """The engine did not answer, or not to the end; `reached`: it may have begun to work."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached


class Reply(Protocol):
    """An engine's answer, from its headers on."""

    status: int
    headers: Headers
    """As sent, without those that concern one connection only."""

    async def read(self) -> bytes:
        """The next bytes as they come, never decompressed; b"" at the proper end.

        Raises:
            EngineGone: it ended before its proper end.
        """

    def close(self) -> None:
        """Let go at once; an answer that has not ended makes the engine stop working on it."""


class Upstream(Protocol):
    """Sends requests to engines; many at once."""

    async def send(self, endpoint: str, call: Call, request_id: str) -> Reply:
        """Send the call to the engine at this base URL, and wait for its headers.

        Cancelling closes the connection.

        Raises:
            EngineGone: there is no answer.
        """
