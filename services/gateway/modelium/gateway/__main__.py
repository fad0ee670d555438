"""Starts the gateway."""

from ipaddress import ip_address

from prometheus_client import REGISTRY

from modelium.common.bus import bind
from modelium.common.errors import SettingsError
from modelium.common.http_server import bind as bind_socket
from modelium.common.http_server import serve_http
from modelium.common.service import Shell, run
from modelium.common.settings import Gateway
from modelium.common.settings_gateway import Authentication
from modelium.gateway.assembly import assemble
from modelium.gateway.engines.upstream_aiohttp import AiohttpUpstream
from modelium.gateway.handlers import HANDLERS
from modelium.gateway.reporting.metrics import GatewayCollector

_IDLE_CONNECTION_S = 75


def check_address(settings: Gateway) -> None:
    """Raise SettingsError for an address that others can reach, unless that is wanted."""
    if settings.authentication is Authentication.NONE or settings.host == "localhost":
        return
    try:
        loopback = ip_address(settings.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(
            (
                f"gateway.host is {settings.host!r}, which other machines may reach, and there "
                "are no keys yet; set gateway.authentication: none if that is wanted, or use "
                "127.0.0.1",
            )
        )


async def build(shell: Shell) -> None:
    """See docs/architecture.md, "One request for a cold model"."""
    settings = shell.settings.gateway
    check_address(settings)
    bound = bind_socket(settings.host, settings.port, setting="gateway.port")
    upstream = await shell.resources.enter_async_context(AiohttpUpstream())
    pinned = shell.settings.orchestration.policies.always_loaded
    gateway = assemble(shell, settings, upstream, pinned=pinned)
    REGISTRY.register(
        GatewayCollector(gateway.stats, gateway.table, gateway.room, gateway.dispatch, shell.clock)
    )
    for name, work in gateway.work():
        shell.task(name, work)
    updates = gateway.updates
    handlers = bind(HANDLERS, updates=updates, dispatch=gateway.dispatch)
    shell.task("models", shell.bus.follow(handlers, on_gap=updates.on_gap))

    async def drain() -> None:
        await gateway.app.drain(settings.shutdown_grace_seconds)

    shell.before_stop(drain)
    shell.task("http", serve_http(gateway.app, bound, idle_s=_IDLE_CONNECTION_S))


if __name__ == "__main__":
    run("gateway", build, health_surface=False)
