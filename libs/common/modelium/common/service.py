"""The shell every service runs in; see `Shell` and `run`.

Owns the process: settings, logs, bus, store, health surface, signals, exit code. A service's
`build` puts its work into it and leaves the rest here.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

import structlog

from modelium.common import logs, memory, metrics, tracing
from modelium.common.addresses import without_password
from modelium.common.boundary import attempt
from modelium.common.bus import Bus
from modelium.common.clock import Clock, SystemClock
from modelium.common.errors import ExitCode, ModeliumError
from modelium.common.health import Checks, health_app
from modelium.common.http_server import bind, serve_http
from modelium.common.lease import Lease, in_hand_s
from modelium.common.load_settings import Loaded, Settings, load_with_origins
from modelium.common.store import Store
from modelium.common.tracing import Tracing

if TYPE_CHECKING:
    from modelium.common.nats_bus import NatsBus
    from modelium.common.redis_store import RedisStore

STORE_RETRY_S: Final = 1.0
SIGNAL_EXIT_BASE: Final = 128

_log = structlog.get_logger()


class Shell(Protocol):
    """What a service's `build` gets, and where it puts what it wants to run."""

    settings: Settings
    loaded: Loaded
    """The same settings, with where each is set."""
    clock: Clock
    bus: Bus
    store: Store
    instance: str
    """`<service>-<random>`: this process; `ce-source` of all it publishes."""
    lease: Lease
    """For a service of which one process leads; it holds nothing unless its `run` is run."""
    resources: AsyncExitStack
    """Closed in reverse order after all tasks have ended."""
    tracing: Tracing
    checks: Checks
    """What /readyz asks; a service with its own port gives it to `health.health_app`."""

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until the service stops; if it raises, the service ends with a failure."""

    def check(self, name: str, probe: Callable[[], Awaitable[bool]]) -> None:
        """Add a condition to /readyz."""

    def before_stop(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Await `drain` when the service is told to stop, while its tasks still run.

        They are cancelled only after it has returned, so it must bound itself.
        """


Build = Callable[[Shell], Awaitable[None]]


class _Stop(Exception):
    """Raised in the task group to cancel everything else."""


@dataclass
class _Shell:
    settings: Settings
    loaded: Loaded
    clock: Clock
    bus: Bus
    store: Store
    instance: str
    lease: Lease
    resources: AsyncExitStack
    tracing: Tracing
    group: asyncio.TaskGroup
    checks: Checks = field(default_factory=Checks)
    drains: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def task(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.group.create_task(work, name=name)

    def check(self, name: str, probe: Callable[[], Awaitable[bool]]) -> None:
        self.checks.add(name, probe)

    def before_stop(self, drain: Callable[[], Awaitable[None]]) -> None:
        self.drains.append(drain)


def run(name: str, build: Build, *, health_surface: bool = True) -> None:
    """`__main__` of a service: settings, logs, bus, store, health surface, signals, exit code.

    `health_surface=False` leaves the surface to the service: it serves `health_app(shell.checks)`
    on a port of its own.
    """
    config = config_path(name)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        error = runner.run(attempt(_main(name, build, config, health_surface)))
    sys.exit(_exit_code(name, error))


def config_path(name: str) -> Path | None:
    """The settings file that the command line names; what else it says is an error."""
    parser = argparse.ArgumentParser(
        prog=f"python -m modelium.{name.replace('-', '_')}",
        description=f"The {name} of Modelium. SIGTERM stops it; a second one stops it at once.",
    )
    parser.add_argument("--config", type=Path, metavar="PATH", help="settings (modelium.yaml)")
    path: Path | None = parser.parse_args().config
    return path


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


async def _main(name: str, build: Build, config: Path | None, health_surface: bool) -> None:
    stop = _stop_on_signals()
    loaded = load_with_origins(config)
    settings = loaded.settings
    instance = f"{name}-{uuid4().hex[:8]}"
    logs.configure(settings.logging, service=name, instance=instance)
    metrics.announce_build(name)
    # What a process had in hand, and was held up with, comes first to the one that takes over.
    ack_wait_s = in_hand_s(settings.orchestration.lease_seconds)
    trace = tracing.begin(name, instance)
    bus = _bus(settings.nats.url, instance, ack_wait_s, trace)
    store = _store(settings.redis.url)
    lease = _lease(name, bus, instance, settings)
    try:
        async with AsyncExitStack() as resources, asyncio.TaskGroup() as group:
            resources.push_async_callback(trace.close)
            shell = _Shell(
                settings,
                loaded,
                SystemClock(),
                bus,
                store,
                instance,
                lease,
                resources,
                trace,
                group,
            )
            group.create_task(_until_stopped(stop, shell))
            if health_surface:
                _serve_health(name, shell)
            await _connect(shell, bus, store)
            await build(shell)
            shell.checks.started = True
            memory.settle()
            _log.info("service.started")
    except* _Stop:
        _log.info("service.stopped")


def _bus(url: str, instance: str, ack_wait_s: float, trace: Tracing) -> "NatsBus":
    # Where aiohttp is installed, nats-py takes it (11 MB) for WebSockets, which nobody speaks here.
    with memory.without("aiohttp"):
        from modelium.common.nats_bus import NatsBus

    return NatsBus(url, source=instance, ack_wait_s=ack_wait_s, tracing=trace)


def _store(url: str) -> "RedisStore":
    # Where OpenTelemetry is installed, redis takes it (3 MB) for figures that nobody asks for.
    with memory.without("opentelemetry.sdk"):
        from modelium.common.redis_store import RedisStore

    return RedisStore(url)


def _lease(name: str, bus: "NatsBus", instance: str, settings: Settings) -> Lease:
    return Lease(
        bus.lease_cell(name),
        name=name,
        holder=instance,
        seconds=settings.orchestration.lease_seconds,
        clock=SystemClock(),
    )


def _stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once."""
    stop = asyncio.Event()

    def on_signal(signum: int) -> None:
        if stop.is_set():
            os._exit(SIGNAL_EXIT_BASE + signum)
        stop.set()

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, on_signal, signum)
    return stop


async def _until_stopped(stop: asyncio.Event, shell: _Shell) -> None:
    await stop.wait()
    _log.info("service.stopping")
    shell.checks.stopping = True
    for drain in shell.drains:
        await drain()
    raise _Stop


def _serve_health(name: str, shell: _Shell) -> None:
    setting = f"{name.replace('-', '_')}_port"
    port: int = getattr(shell.settings.health, setting)
    bound = bind(shell.settings.health.host, port, setting=f"health.{setting}")
    shell.task("health", serve_http(health_app(shell.checks), bound))


async def _connect(shell: _Shell, bus: "NatsBus", store: "RedisStore") -> None:
    """Wait for bus and store, however long they take; /readyz and the log say so meanwhile."""

    async def connected() -> bool:
        return bus.connected

    shell.resources.push_async_callback(store.close)
    shell.resources.push_async_callback(bus.close)
    shell.check("nats", connected)
    shell.check("redis", store.ping)
    await bus.open()
    if not await store.ping():
        _log.warning("store.waiting", url=without_password(shell.settings.redis.url))
    while not await store.ping():
        await shell.clock.sleep(STORE_RETRY_S)


def _exit_code(name: str, error: Exception | None) -> int:
    """What the process ends with, after saying why."""
    match _first(error):
        case None:
            return ExitCode.OK
        case ModeliumError() as known:
            sys.stderr.write(f"{name}: {known}\n")
            return known.exit_code
        case unknown:
            _log.error("service.failed", reason=repr(unknown), exc_info=error)
            return ExitCode.INTERNAL


def _first(error: Exception | None) -> Exception | None:
    """The error to tell, of all that ended the tasks: one of ours before any other."""
    if not isinstance(error, ExceptionGroup):
        return error
    ours, others = error.split(ModeliumError)
    return _first((ours or others or error).exceptions[0])
