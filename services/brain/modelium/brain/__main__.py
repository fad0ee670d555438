"""The brain's process: wiring only."""

from typing import Final

from modelium.brain.advisor import RulesAdvisor
from modelium.brain.answering import Answering
from modelium.brain.handlers import EVENT_HANDLERS, LIVE_HANDLERS
from modelium.common.bus import bind
from modelium.common.policies import PoliciesInForce
from modelium.common.policy_reader import PolicyReader
from modelium.common.service import Shell, run
from modelium.core.policy import memory_policy, policy

DURABLE: Final = "brain"


async def build(shell: Shell) -> None:
    """Advise, unless the settings say that there is no brain or that the rules may not answer."""
    settings = shell.settings
    if not (settings.modelium_brain.enabled and settings.modelium_brain.fallback_to_rules):
        return
    policies = PoliciesInForce(settings.orchestration.policies, shell.loaded.origins)
    reader = PolicyReader(store=shell.store.policies, policies=policies, clock=shell.clock)
    rules = RulesAdvisor(
        policy=lambda: policy(policies.current), memory=memory_policy(settings.vllm)
    )
    needs = {"advisor": rules, "answering": Answering(), "bus": shell.bus, "reader": reader}
    shell.task("policies", reader.run())
    shell.task("consume", shell.bus.consume(DURABLE, bind(EVENT_HANDLERS, **needs)))
    shell.task("follow", shell.bus.follow(bind(LIVE_HANDLERS, **needs)))


if __name__ == "__main__":
    run("brain", build)
