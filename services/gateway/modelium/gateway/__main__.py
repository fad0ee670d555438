"""Starts the gateway."""

import sys
from contextlib import suppress
from functools import partial

from prometheus_client import REGISTRY

from modelium.common import logs
from modelium.common.bus import bind
from modelium.common.errors import ModeliumError, SettingsError
from modelium.common.http_limits import ServerLimits
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.load_settings import Settings, load
from modelium.common.open_files import clients_within, raise_limit
from modelium.common.policies import AlwaysLoaded, PoliciesInForce
from modelium.common.policy_reader import PolicyReader
from modelium.common.service import Shell, config_path, run
from modelium.common.settings import Gateway
from modelium.gateway.access.assembly import Access, assemble_access
from modelium.gateway.access.windows import LimitsWindows
from modelium.gateway.assembly import Gateway as Assembled
from modelium.gateway.assembly import assemble
from modelium.gateway.engines.pool import EnginePool
from modelium.gateway.handlers import LIVE_HANDLERS, QUESTION_HANDLERS
from modelium.gateway.reporting.metrics import GatewayCollector
from modelium.gateway.reporting.shared_metrics import SharedMetrics
from modelium.gateway.workers import Worker, serve_with_workers


def _limits(settings: Gateway) -> ServerLimits:
    return ServerLimits(
        max_connections=settings.max_connections or clients_within(raise_limit()),
        max_header_bytes=settings.max_header_bytes,
        header_timeout_s=settings.header_timeout_seconds,
        body_timeout_s=settings.body_timeout_seconds,
        idle_timeout_s=settings.idle_timeout_seconds,
        write_timeout_s=settings.write_timeout_seconds,
    )


async def build(shell: Shell, worker: Worker | None = None) -> None:
    """See docs/architecture.md, "One request for a cold model"."""
    settings = shell.settings.gateway
    access = assemble_access(
        shell, shell.settings, LimitsWindows(shell.settings.redis.url, shell.clock)
    )
    shell.resources.push_async_callback(access.close)
    await access.start()
    bound = bind_socket(
        settings.host, settings.port, setting="gateway.port", shared=worker is not None
    )
    upstream = await shell.resources.enter_async_context(EnginePool(shell.clock))
    configured = shell.settings.orchestration.policies
    policies = PoliciesInForce(configured, shell.loaded.origins)
    pinned = AlwaysLoaded(policies)
    gateway = assemble(shell, settings, upstream, access, pinned=pinned, tracing=shell.tracing)
    REGISTRY.register(
        GatewayCollector(
            gateway.stats,
            gateway.table,
            gateway.room,
            gateway.dispatch,
            shell.clock,
            connections=lambda: upstream.open_connections,
            limits_are_local=lambda: access.refilling.local,
            queue_limit=settings.max_queue_per_model,
        )
    )
    for name, work in [*gateway.work(), *access.work()]:
        shell.task(name, work)
    reader = PolicyReader(store=shell.store.policies, policies=policies, clock=shell.clock)
    shell.task("policies", reader.run())
    _listen(shell, gateway, access, reader)

    async def drain() -> None:
        await gateway.app.drain(settings.shutdown_grace_seconds)

    shell.before_stop(drain)
    if worker is not None:
        _join(worker, shell)
    shell.task("http", serve_http(gateway.app, bound, limits=_limits(settings)))
    if worker is not None:
        worker.begun()


def _listen(shell: Shell, gateway: Assembled, access: Access, reader: PolicyReader) -> None:
    updates = gateway.updates
    handlers = bind(
        LIVE_HANDLERS,
        updates=updates,
        dispatch=gateway.dispatch,
        board=gateway.live.board,
        advising=gateway.live.advising,
        keys=access.keys,
        policies=reader,
    )
    shell.task("models", shell.bus.follow(handlers, on_gap=updates.on_gap))
    questions = bind(QUESTION_HANDLERS, requests=gateway.requests)
    shell.task("answer", shell.bus.answer(questions))


def _join(worker: Worker, shell: Shell) -> None:
    worker.stop_with_parent()
    metrics = SharedMetrics(worker.folder, worker.number, REGISTRY, shell.clock)
    shell.checks.metrics = metrics.exposition
    shell.task("metrics", metrics.run())


def _work(worker: Worker) -> None:
    run("gateway", partial(build, worker=worker), health_surface=False)


def main() -> None:
    """Serve with as many processes as the settings say; with one there is no parent."""
    settings = None
    with suppress(SettingsError):  # `run` says what is wrong
        settings = load(config_path("gateway"))
    if settings is None or settings.gateway.workers == 1:
        run("gateway", build, health_surface=False)
    else:
        sys.exit(_serve_with_workers(settings))


def _serve_with_workers(settings: Settings) -> int:
    logs.configure(settings.logging, service="gateway", instance="gateway-parent")
    gateway = settings.gateway
    try:
        _check_port(gateway)
    except ModeliumError as wrong:
        sys.stderr.write(f"gateway: {wrong}\n")
        return wrong.exit_code
    return serve_with_workers(gateway.workers, _work)


def _check_port(gateway: Gateway) -> None:
    if gateway.port == 0:
        text = "gateway.port is 0, which gives each of gateway.workers another; name a port"
        raise SettingsError((text,))
    # The workers would share it with any other program that lets them.
    bind_socket(gateway.host, gateway.port, setting="gateway.port").close()


if __name__ == "__main__":
    main()
