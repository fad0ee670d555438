"""What a client of an HTTP server may do, in bytes and seconds."""

from dataclasses import dataclass
from typing import Final

from modelium.common.settings_base import KIB

BODY_STEP_BYTES: Final = 4 * KIB
"""A client that sends single bytes gets no more time with each of them."""


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Bounds of a server and of each connection; the defaults fit a small surface (`/metrics`)."""

    max_connections: int = 1000
    """More are answered 503 and closed before they are read."""
    max_header_bytes: int = 64 * KIB
    """Request line and headers together, and trailers; more get 431."""
    max_headers: int = 100
    """Header lines of a request; more get 431."""
    max_url_bytes: int = 16 * KIB
    """Longer ones get 414."""
    max_pipelined: int = 16
    """Requests of a connection that wait behind the one being answered. Then no more is read; if
    more have come at once, they get 400."""
    header_timeout_s: float = 10.0
    """From the connection, or a request's first byte, to the end of its headers; then 408."""
    body_timeout_s: float = 60.0
    """For every `BODY_STEP_BYTES` of a body that somebody waits for; then 408."""
    idle_timeout_s: float = 5.0
    """Without a request on a connection that had one; then it is closed."""
    write_timeout_s: float = 300.0
    """Without a byte read of an answer that waits for its reader; then the connection is cut."""
    linger_s: float = 2.0
    """After an answer that came before the end of its request: what the client still sends is
    dropped, because closing at once would make its system drop the answer."""
    read_buffer_bytes: int = 64 * KIB
    """Of a body that the application has not asked for yet, and of what comes while requests wait;
    more is left to the network."""
    write_buffer_bytes: int = 64 * KIB
    """Of an answer that the client has not read; with more the application waits."""

    def shortest_s(self) -> float:
        """The shortest of the timeouts."""
        asked_s = min(self.header_timeout_s, self.body_timeout_s, self.idle_timeout_s)
        return min(asked_s, self.write_timeout_s, self.linger_s)
