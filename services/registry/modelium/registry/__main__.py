"""Starts the registry."""

from modelium.common.bus import bind
from modelium.common.service import Shell, run
from modelium.registry.handlers import EVENT_HANDLERS, LIVE_HANDLERS


async def build(shell: Shell) -> None:
    """Consume everything in one call, so that events of one model are applied in their order.

    For the same reason only one registry does so at a time.
    """
    bus, lease = shell.bus, shell.lease
    needs = {"store": shell.store, "bus": bus, "clock": shell.clock}
    events, live = bind(EVENT_HANDLERS, **needs), bind(LIVE_HANDLERS, **needs)
    shell.task("events", lease.while_leading(lambda: bus.consume("registry", events)))
    shell.task("heartbeats", lease.while_leading(lambda: bus.follow(live)))
    shell.task("lease", lease.run())


if __name__ == "__main__":
    run("registry", build)
