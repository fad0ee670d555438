"""The orchestrator's process: wiring only."""

from typing import Final

from prometheus_client import REGISTRY

from modelium.common.bus import bind
from modelium.common.policies import PoliciesInForce
from modelium.common.service import Shell, run
from modelium.orchestrator.fenced_bus import FencedBus
from modelium.orchestrator.fleet_metrics import FleetCollector
from modelium.orchestrator.handlers import EVENT_HANDLERS, FOLLOWED, QUESTION_HANDLERS
from modelium.orchestrator.leading import Leading
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync

DURABLE: Final = "orchestrator"


async def build(shell: Shell) -> None:
    """Run the owner of the state, and everything that posts to it."""
    bus, lease = FencedBus(shell.bus, shell.lease), shell.lease
    settings, loaded = shell.settings, shell.loaded
    policies = PoliciesInForce(settings.orchestration.policies, loaded.origins, loaded.file_digests)
    owner = Owner(
        bus=bus,
        clock=shell.clock,
        settings=settings,
        policies=policies,
        leads=False,
        tracing=shell.tracing,
    )
    figures = FleetCollector(owner.look)
    REGISTRY.register(figures)
    shell.resources.callback(REGISTRY.unregister, figures)
    resync = Resync(store=shell.store, owner=owner, clock=shell.clock)
    leading = Leading(
        lease=lease,
        bus=shell.bus,
        clock=shell.clock,
        owner=owner,
        resync=resync,
        orchestrator_id=shell.instance,
    )
    events, questions = bind(EVENT_HANDLERS, owner=owner), bind(QUESTION_HANDLERS, owner=owner)
    followed = bind(FOLLOWED, owner=owner, resync=resync)
    shell.task("resync", resync.run())
    shell.task("remind", resync.remind())
    shell.task("follow", bus.follow(followed, on_gap=resync.soon))
    shell.task("consume", lease.while_leading(lambda: bus.consume(DURABLE, events)))
    # Only who decides may say what would be decided.
    shell.task("answer", lease.while_leading(lambda: bus.answer(questions)))
    shell.task("tick", owner.tick())
    shell.task("owner", owner.run())
    shell.task("lead", lease.while_leading(leading.term))
    shell.task("lease", lease.run())


if __name__ == "__main__":
    run("orchestrator", build)
