"""Starts the gateway."""

from prometheus_client import REGISTRY

from modelium.common.bus import bind
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.service import Shell, run
from modelium.gateway.access.assembly import assemble_access
from modelium.gateway.access.windows import LimitsWindows
from modelium.gateway.assembly import assemble
from modelium.gateway.engines.upstream_aiohttp import AiohttpUpstream
from modelium.gateway.handlers import HANDLERS
from modelium.gateway.reporting.metrics import GatewayCollector

_IDLE_CONNECTION_S = 75


async def build(shell: Shell) -> None:
    """See docs/architecture.md, "One request for a cold model"."""
    settings = shell.settings.gateway
    access = assemble_access(
        shell, shell.settings, LimitsWindows(shell.settings.redis.url, shell.clock)
    )
    shell.resources.push_async_callback(access.close)
    await access.start()
    bound = bind_socket(settings.host, settings.port, setting="gateway.port")
    upstream = await shell.resources.enter_async_context(AiohttpUpstream())
    pinned = shell.settings.orchestration.policies.always_loaded
    gateway = assemble(shell, settings, upstream, pinned=pinned)
    REGISTRY.register(GatewayCollector(gateway.stats, gateway.table, gateway.room, shell.clock))
    for name, work in [*gateway.work(), *access.work()]:
        shell.task(name, work)
    updates = gateway.updates
    handlers = bind(HANDLERS, updates=updates, keys=access.keys)
    shell.task("models", shell.bus.follow(handlers, on_gap=updates.on_gap))

    async def drain() -> None:
        await gateway.app.drain(settings.shutdown_grace_seconds)

    shell.before_stop(drain)
    shell.task("http", serve_http(gateway.app, bound, idle_s=_IDLE_CONNECTION_S))


if __name__ == "__main__":
    run("gateway", build, health_surface=False)
