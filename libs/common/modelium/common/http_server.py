"""Serves an ASGI application in the running loop until cancelled; signals are not its business."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn

from modelium.common.errors import DependencyUnavailable, PermissionMissing


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to `service.py`."""
        yield


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """A socket bound to the address; `setting` is what the user can change.

    Raises:
        DependencyUnavailable: the port is taken, or there is no such address.
        PermissionMissing: this user may not use the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle off only where it sees that it is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
    app: Any, listen_on: socket.socket, *, grace_s: float = 0.0, idle_s: int = 5
) -> None:
    """Serve until cancelled; then requests in flight get `grace_s` seconds to end.

    A connection on which nothing happens for `idle_s` seconds is closed.
    """
    config = uvicorn.Config(
        cast("Any", app),
        access_log=False,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(grace_s)),
        timeout_keep_alive=idle_s,
        ws="none",
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listen_on]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
