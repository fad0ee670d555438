"""The orchestrator's process: wiring only."""

from typing import Final

from modelium.common.bus import bind
from modelium.common.service import Shell, run
from modelium.orchestrator.handlers import EVENT_HANDLERS, LIVE_HANDLERS, QUESTION_HANDLERS
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync

DURABLE: Final = "orchestrator"


async def build(shell: Shell) -> None:
    """Run the owner of the state, and everything that posts to it."""
    owner = Owner(bus=shell.bus, clock=shell.clock, settings=shell.settings)
    resync = Resync(store=shell.store, owner=owner, clock=shell.clock)
    shell.task("resync", resync.run())
    shell.task("remind", resync.remind())
    shell.task("follow", shell.bus.follow(bind(LIVE_HANDLERS, owner=owner), on_gap=resync.soon))
    shell.task("consume", shell.bus.consume(DURABLE, bind(EVENT_HANDLERS, owner=owner)))
    # Only who decides may say what would be decided.
    shell.task("answer", shell.bus.answer(bind(QUESTION_HANDLERS, owner=owner)))
    shell.task("tick", owner.tick())
    shell.task("owner", owner.run())


if __name__ == "__main__":
    run("orchestrator", build)
