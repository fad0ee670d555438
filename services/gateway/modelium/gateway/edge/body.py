"""Reads the bodies of requests, and bounds what they hold: each of them, and all together.

A body is held until its request has ended, because it may have to be sent to another engine.
"""

from modelium.common.errors import ModeliumError
from modelium.gateway.edge import errors_http as errors
from modelium.gateway.edge.call import Event, Receive, Scope

_RETRY_S = 1.0


class ClientGone(ModeliumError):
    """Nobody reads the answer any more."""


class HeldBytes:
    """How much all bodies inside this gateway hold, and may.

    An organisation may hold as much as is left: so one alone gets half, two that want all a third
    each, and something is left for whoever comes next (Choudhury and Hahne, "Dynamic queue length
    thresholds for shared-memory packet switches", 1998, with a factor of one).
    """

    __slots__ = ("held", "limit", "of")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.of: dict[str, int] = {}
        """By organisation."""

    def add(self, organization: str, count: int) -> None:
        """Hold so many more.

        Raises:
            ApiError: 429, that would be too much; nothing is added.
        """
        own = self.of.get(organization, 0) + count
        if own > self.limit - self.held:
            raise errors.bodies_full(self.limit, _RETRY_S)
        self.of[organization] = own
        self.held += count

    def drop(self, organization: str, count: int) -> None:
        """Hold so many less."""
        self.held -= count
        self.of[organization] -= count
        if not self.of[organization]:
            del self.of[organization]


def bounded(receive: Receive, max_bytes: int) -> Receive:
    """`receive` that raises an ApiError, 413, once a body is larger than this."""
    left_bytes = max_bytes

    async def receive_bounded() -> Event:
        nonlocal left_bytes
        event = await receive()
        left_bytes -= len(event.get("body", b""))
        if left_bytes < 0:
            raise errors.body_too_large(max_bytes)
        return event

    return receive_bounded


class Body:
    """One request's body; use it as a context, which lets go of what it holds."""

    __slots__ = ("_all", "_held", "_max_bytes", "_organization")

    def __init__(self, max_bytes: int, all_bodies: HeldBytes, organization: str) -> None:
        self._max_bytes = max_bytes
        self._organization = organization
        self._all = all_bodies
        self._held = 0

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._all.drop(self._organization, self._held)
            self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """All of it.

        Raises:
            ApiError: 413 for one that is too large, 429 while the others take all there is.
            ClientGone: it stopped sending.
        """
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._max_bytes:
                raise errors.body_too_large(self._max_bytes)
        event = await receive()
        if event["type"] == "http.request" and not event.get("more_body"):
            body: bytes = event.get("body", b"")
            self._hold(len(body))
            return body
        return await self._read_parts(event, receive)

    async def _read_parts(self, event: Event, receive: Receive) -> bytes:
        parts = bytearray()
        while event["type"] == "http.request":
            part = event.get("body", b"")
            self._hold(len(part))
            parts += part
            if not event.get("more_body"):
                return bytes(parts)
            event = await receive()
        raise ClientGone("it stopped sending its body")

    def _hold(self, count: int) -> None:
        if self._held + count > self._max_bytes:
            raise errors.body_too_large(self._max_bytes)
        if count:
            self._all.add(self._organization, count)
        self._held += count
