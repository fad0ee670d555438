"""Starts the registry."""

from modelium.common.bus import bind
from modelium.common.service import Shell, run
from modelium.registry.handlers import EVENT_HANDLERS, LIVE_HANDLERS


async def build(shell: Shell) -> None:
    """Consume everything in one call, so that events of one model are applied in their order."""
    needs = {"store": shell.store, "bus": shell.bus, "clock": shell.clock}
    shell.task("events", shell.bus.consume("registry", bind(EVENT_HANDLERS, **needs)))
    shell.task("heartbeats", shell.bus.follow(bind(LIVE_HANDLERS, **needs)))


if __name__ == "__main__":
    run("registry", build)
