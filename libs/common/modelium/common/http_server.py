"""Serves an ASGI application in the running loop until cancelled; signals are not its business."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import uvicorn

from modelium.common.errors import DependencyUnavailable, PermissionMissing
from modelium.common.health import AsgiApp
from modelium.common.http_connection import Shared
from modelium.common.http_limits import ServerLimits
from modelium.common.http_protocol import HttpProtocol

_TICK_S: Final = 0.1
"""How often uvicorn calls `on_tick`."""
_LAST_WORDS_S: Final = 1.0
_SMALL_SURFACE: Final = ServerLimits()


class _Server(uvicorn.Server):
    """uvicorn with `HttpProtocol`, and without signals, which belong to `service.py`."""

    def __init__(self, app: AsgiApp, limits: ServerLimits, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                cast("Any", app),
                access_log=False,
                http=cast("Any", self._protocol),
                interface="asgi3",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(grace_s)),
                ws="none",
            )
        )
        state = cast("Any", self.server_state)  # its sets are typed for uvicorn's own protocols
        self._shared = Shared(app, limits, state.connections, state.tasks)
        self._ticks_per_sweep = max(1, int(limits.shortest_s() / 4 / _TICK_S))

    def _protocol(self, *, _loop: asyncio.AbstractEventLoop, **_: Any) -> HttpProtocol:
        return HttpProtocol(self._shared, _loop or asyncio.get_running_loop())

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See the class."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """What uvicorn does every `_TICK_S`, and the deadlines of all connections."""
        stop = await super().on_tick(counter)
        headers = self.server_state.default_headers
        self._shared.date_line = b"".join(b"%b: %b\r\n" % header for header in headers)
        if counter % self._ticks_per_sweep == 0:
            self._shared.sweep(asyncio.get_running_loop().time())
        return stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, then drop the connections whose clients still read.

        uvicorn cancels what has outlasted its grace; that still says so to its client.
        """
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(list(self.server_state.tasks), timeout=_LAST_WORDS_S)
        for connection in list(self._shared.connections):
            connection.transport.abort()


def bind(host: str, port: int, *, setting: str, shared: bool = False) -> socket.socket:
    """A socket bound to the address; `setting` is what the user can change.

    `shared`: other processes of this user may listen there too, and the system shares connections
    out among them.

    Raises:
        DependencyUnavailable: the port is taken, or there is no such address.
        PermissionMissing: this user may not use the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle off only where it sees that it is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise _bind_error(error, host, port, setting) from error
    return bound


def _bind_error(error: OSError, host: str, port: int, setting: str) -> DependencyUnavailable:
    if error.errno == errno.EACCES:
        return PermissionMissing(
            f"this user may not listen on port {port}", f"Set {setting} to 1024 or higher"
        )
    if error.errno == errno.EADDRINUSE:
        return DependencyUnavailable(
            f"port {port} on {host} is taken",
            f"Stop the program that holds it, or set {setting} to a free port",
        )
    return DependencyUnavailable(
        f"cannot listen on {host}:{port} ({error.strerror})", f"Change {setting} or the host"
    )


async def serve_http(
    app: AsgiApp,
    listen_on: socket.socket,
    *,
    grace_s: float = 0.0,
    limits: ServerLimits = _SMALL_SURFACE,
) -> None:
    """Serve until cancelled; then requests in flight get `grace_s` seconds to end."""
    _keep_little_unsent(listen_on, limits.write_buffer_bytes)
    server = _Server(app, limits, grace_s)
    serving = asyncio.ensure_future(server.serve(sockets=[listen_on]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


def _keep_little_unsent(listening: socket.socket, most_bytes: int) -> None:
    """Let the system keep as little for a slow reader as we do, for all connections made here.

    By itself Linux takes megabytes for each, and lets us see only every third of them being read.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, most_bytes)
