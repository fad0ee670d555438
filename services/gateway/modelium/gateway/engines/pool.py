"""Engines over HTTP/1.1: a pool of keep-alive connections on httptools and uvloop.

Written here because no library comes near what the hot path needs: a request costs 10
microseconds of CPU by this pool, 54 by aiohttp (benchmarks/engine_clients.py). Nothing is decoded,
and nothing is added but a request id.
"""

import asyncio
import re
import socket
from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit

from modelium.common.clock import Clock
from modelium.gateway.edge.call import Call, Headers
from modelium.gateway.engines.connection import EngineConnection
from modelium.gateway.engines.hop_by_hop import HOP_BY_HOP, named_in
from modelium.gateway.engines.reply import EngineReply
from modelium.gateway.engines.upstream import EngineGone

CONNECT_S: Final = 5.0
IDLE_S: Final = 3.0
"""Less than the 5 s after which an engine closes an idle connection, so that it never does so just
when the next request is on its way."""
_MAX_ENDPOINTS: Final = 1024

_NOT_FOR_ENGINES: Final = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"x-request-id",
    # Secrets between the client and us.
    b"authorization",
    b"cookie",
    b"x-api-key",
}
GONE_S: Final = 30
"""Without a sign of an engine's machine for so long, its connections are lost."""
_PROBES: Final = tuple(
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", GONE_S // 2),
        ("TCP_KEEPINTVL", GONE_S // 6),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", GONE_S * 1000),
    )
    if hasattr(socket, name)
)
_TARGET: Final = re.compile(r"/[!-~]*")


class _Endpoint:
    """An engine's address, and the connections to it that are free."""

    __slots__ = ("host", "host_line", "idle", "opened", "port", "prefix")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise EngineGone(f"{url} is not an http:// address", reached=False)
        self.host: str = parts.hostname
        self.port: int = parts.port or 80
        self.prefix: str = parts.path.rstrip("/")
        self.host_line: bytes = f" HTTP/1.1\r\nhost: {parts.netloc}\r\n".encode("ascii")
        self.idle: deque[EngineConnection] = deque()
        self.opened = 0
        """Connections there are, free ones included."""


class EnginePool:
    """Implements `upstream.Upstream`; enter it to open the pool."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._endpoints: dict[str, _Endpoint] = {}
        self._connections: set[EngineConnection] = set()

    async def __aenter__(self) -> "EnginePool":
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def open_connections(self) -> int:
        """How many there are, free ones included."""
        return len(self._connections)

    async def send(self, endpoint: str, call: Call, request_id: str) -> EngineReply:
        """See `Upstream.send`."""
        at = self._endpoints.get(endpoint) or self._known(endpoint)
        head = _request_head(at, call, request_id)
        kept = self._free(at)
        if kept is None:
            return await (await self._connect(at)).send(head, call.body)
        try:
            return await kept.send(head, call.body)
        except EngineGone:
            if kept.received_any:
                raise
        # A kept connection may have been closed while it was idle, which says nothing of the
        # engine; a new one does. Whether the engine has begun to work on it, nobody knows.
        try:
            return await (await self._connect(at)).send(head, call.body)
        except EngineGone as gone:
            raise EngineGone(gone.reason, reached=True) from gone

    def _known(self, url: str) -> _Endpoint:
        if len(self._endpoints) >= _MAX_ENDPOINTS:
            self._forget_unused()
        at = self._endpoints[url] = _Endpoint(url)
        return at

    def _forget_unused(self) -> None:
        self._endpoints = {url: at for url, at in self._endpoints.items() if at.opened}

    def _free(self, at: _Endpoint) -> EngineConnection | None:
        """The connection that was used last: the others can grow old and be closed."""
        too_old_s = self._clock.monotonic() - IDLE_S
        while at.idle:
            connection = at.idle.pop()
            if connection.idle_since_s >= too_old_s and not connection.closed:
                return connection
            connection.abort()
        return None

    async def _connect(self, at: _Endpoint) -> EngineConnection:
        def freed(connection: EngineConnection) -> None:
            if connection.closed:
                self._closed(at, connection)
                return
            connection.idle_since_s = self._clock.monotonic()
            at.idle.append(connection)

        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                transport, connection = await loop.create_connection(
                    lambda: EngineConnection(loop, freed), at.host, at.port
                )
        except TimeoutError as error:
            reason = f"it did not accept a connection within {CONNECT_S:.0f} s"
            raise EngineGone(reason, reached=False) from error
        except OSError as error:
            raise EngineGone(str(error), reached=False) from error
        _keep_alive(transport)
        self._connections.add(connection)
        at.opened += 1
        return connection

    def _closed(self, at: _Endpoint, connection: EngineConnection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        at.opened -= 1
        if connection in at.idle:
            at.idle.remove(connection)


def _keep_alive(transport: Any) -> None:
    """Notice an engine whose whole machine has gone, while its answer is waited for."""
    wire = transport.get_extra_info("socket")
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        wire.setsockopt(socket.IPPROTO_TCP, option, value)


def _request_head(at: _Endpoint, call: Call, request_id: str) -> bytes:
    if _TARGET.fullmatch(call.path) is None:
        # Whoever parsed the call has let something through that would be another request.
        raise ValueError(f"{call.path!r} is not a request target")
    parts = [b"POST ", at.prefix.encode(), call.path.encode(), at.host_line]
    named = _named_by_connection(call.headers)
    dropped = _NOT_FOR_ENGINES | named if named else _NOT_FOR_ENGINES
    for name, value in call.headers:
        if name not in dropped:
            parts += (name, b": ", value, b"\r\n")
    parts.append(
        b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (request_id.encode(), len(call.body))
    )
    return b"".join(parts)


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that concern this one connection because a `connection` header says so."""
    found: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name == b"connection":
            found |= named_in(value)
    return found
