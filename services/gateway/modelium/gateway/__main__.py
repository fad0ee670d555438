"""Starts the gateway."""

from prometheus_client import REGISTRY

from modelium.common.bus import bind
from modelium.common.http_limits import ServerLimits
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.service import Shell, run
from modelium.common.settings import Gateway
from modelium.gateway.access.assembly import assemble_access
from modelium.gateway.access.windows import LimitsWindows
from modelium.gateway.assembly import assemble
from modelium.gateway.engines.pool import EnginePool
from modelium.gateway.handlers import HANDLERS
from modelium.gateway.reporting.metrics import GatewayCollector


def _limits(settings: Gateway) -> ServerLimits:
    return ServerLimits(
        max_header_bytes=settings.max_header_bytes,
        header_timeout_s=settings.header_timeout_seconds,
        body_timeout_s=settings.body_timeout_seconds,
        idle_timeout_s=settings.idle_timeout_seconds,
        write_timeout_s=settings.write_timeout_seconds,
    )


async def build(shell: Shell) -> None:
    """See docs/architecture.md, "One request for a cold model"."""
    settings = shell.settings.gateway
    access = assemble_access(
        shell, shell.settings, LimitsWindows(shell.settings.redis.url, shell.clock)
    )
    shell.resources.push_async_callback(access.close)
    await access.start()
    bound = bind_socket(settings.host, settings.port, setting="gateway.port")
    upstream = await shell.resources.enter_async_context(EnginePool(shell.clock))
    pinned = shell.settings.orchestration.policies.always_loaded
    gateway = assemble(shell, settings, upstream, access, pinned=pinned)
    REGISTRY.register(
        GatewayCollector(gateway.stats, gateway.table, gateway.room, gateway.dispatch, shell.clock)
    )
    for name, work in [*gateway.work(), *access.work()]:
        shell.task(name, work)
    updates = gateway.updates
    handlers = bind(HANDLERS, updates=updates, dispatch=gateway.dispatch, keys=access.keys)
    shell.task("models", shell.bus.follow(handlers, on_gap=updates.on_gap))

    async def drain() -> None:
        await gateway.app.drain(settings.shutdown_grace_seconds)

    shell.before_stop(drain)
    shell.task("http", serve_http(gateway.app, bound, limits=_limits(settings)))


if __name__ == "__main__":
    run("gateway", build, health_surface=False)
