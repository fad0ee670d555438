"""The host under uvicorn, in this process."""

import asyncio
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from modelium.model_host.errors import CannotLoad
from modelium.model_host.http.app import build
from modelium.model_host.models.loading import load
from modelium.model_host.options import Options
from modelium.model_host.serving import Serving, State


class _Server(uvicorn.Server):
    """Says on `/health` that it drains, as soon as it has to end."""

    def __init__(self, config: uvicorn.Config, serving: Serving) -> None:
        super().__init__(config)
        self._serving = serving

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        self._serving.drain()
        await super().shutdown(sockets)


def run(options: Options) -> str:
    """Serve until SIGTERM, and let requests under way end; empty, or why that failed."""
    # uvicorn raises the signal that ended it once more, when it has drained.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        listening = _listening(options.host, options.port)
    except OSError as error:
        return f"cannot listen on {options.host}:{options.port}: {error.strerror}"
    serving = Serving(options, load)
    config = uvicorn.Config(
        build(serving),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=max(1, round(options.drain_seconds)),
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_run(options, serving, _Server(config, serving), listening))


def _listening(host: str, port: int) -> socket.socket:
    # The protocol is named: asyncio turns Nagle off only where it sees that it is TCP.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


async def _run(
    options: Options, serving: Serving, server: _Server, listening: socket.socket
) -> str:
    loading = asyncio.create_task(_load(serving, server))
    await server.serve(sockets=[listening])
    if serving.state is State.FAILED:
        await loading
        return f"cannot serve {options.name!r}: {serving.failure}"
    if serving.cut_off:
        return f"{serving.cut_off} requests were cut off after {options.drain_seconds:g} s"
    return ""


async def _load(serving: Serving, server: uvicorn.Server) -> None:
    # Of its own: the loop's threads are waited for at the end, and a load cannot be interrupted.
    executor = ThreadPoolExecutor(1, "load")
    try:
        await asyncio.get_running_loop().run_in_executor(executor, serving.load)
    except CannotLoad:
        server.should_exit = True
