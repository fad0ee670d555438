"""The brain's process: wiring only."""

from functools import partial
from typing import Final

from modelium.brain import metrics
from modelium.brain.advisor import RulesAdvisor
from modelium.brain.backends.choice import backend_of
from modelium.brain.deciding import Deciding
from modelium.brain.demand import Demand
from modelium.brain.handlers import (
    EVENT_HANDLERS,
    LIVE_HANDLERS,
    QUESTION_HANDLERS,
    TICK_HANDLERS,
)
from modelium.brain.language_model import LanguageModel
from modelium.brain.plans import Plans
from modelium.brain.tuning.proposing import Proposing
from modelium.brain.tuning.replaying import replay
from modelium.brain.tuning.tuner import Tuner
from modelium.common.advice import Standing
from modelium.common.bus import bind
from modelium.common.policies import PoliciesInForce
from modelium.common.policy_reader import PolicyReader
from modelium.common.service import Shell, run
from modelium.core.policy import memory_policy, policy
from modelium.core.runtimes import enabled_runtimes

DURABLE: Final = "brain"


async def build(shell: Shell) -> None:
    """Advise, unless the settings say that there is no brain."""
    settings = shell.settings
    if not settings.modelium_brain.enabled:
        return
    policies = PoliciesInForce(settings.orchestration.policies, shell.loaded.origins)
    reader = PolicyReader(store=shell.store.policies, policies=policies, clock=shell.clock)
    rules = RulesAdvisor(
        policy=lambda: policy(policies.current),
        memory=memory_policy(settings.vllm, settings.ray_serve),
    )
    llm = _language_model(shell)
    deciding = Deciding(
        backend=settings.modelium_brain.backend,
        rules=rules,
        language_model=llm,
        rules_may_answer=settings.modelium_brain.fallback_to_rules,
        bus=shell.bus,
        clock=shell.clock,
    )
    if llm is not None:
        known = await shell.store.advisors.get(llm.name)
        deciding.seat.standing = known.standing if known else Standing()
    metrics.begin(deciding.seat.standing)
    plans = Plans(
        rules=rules,
        language_model=llm,
        leads=lambda: deciding.seat.llm_leads,
        enabled=enabled_runtimes(settings.vllm, settings.ray_serve),
        most_seqs=settings.vllm.max_num_seqs,
        bus=shell.bus,
    )
    demand, proposing, tuner = _tuning(shell, policies, llm)
    needs = {
        "deciding": deciding,
        "plans": plans,
        "reader": reader,
        "demand": demand,
        "proposing": proposing,
        "tuner": tuner,
        "clock": shell.clock,
    }
    shell.task("policies", reader.run())
    shell.task("consume", shell.bus.consume(DURABLE, bind(EVENT_HANDLERS, **needs)))
    # Apart from all else: a tick may wait for a language model, until its deadline.
    shell.task("ticks", shell.bus.follow(bind(TICK_HANDLERS, **needs)))
    shell.task("follow", shell.bus.follow(bind(LIVE_HANDLERS, **needs)))
    shell.task("answer", shell.bus.answer(bind(QUESTION_HANDLERS, **needs)))


def _tuning(
    shell: Shell, policies: PoliciesInForce, llm: LanguageModel | None
) -> tuple[Demand, Proposing, Tuner] | tuple[None, None, None]:
    settings = shell.settings.modelium_brain.tuning
    if not settings.enabled:
        return None, None, None
    demand = Demand(began_s=shell.clock.monotonic(), window_hours=settings.window_hours)
    proposing = Proposing(language_model=llm, policies=policies, demand=demand)
    tuner = Tuner(
        demand=demand,
        policies=policies,
        proposing=proposing,
        replay=partial(replay, cpu_seconds=settings.cpu_seconds),
        every_s=settings.every_seconds,
        interval_s=shell.settings.orchestration.decision_interval_seconds,
        patience_s=shell.settings.gateway.queue_timeout_seconds,
        store=shell.store.policies,
        bus=shell.bus,
        clock=shell.clock,
    )
    shell.task("tuning", tuner.run())
    return demand, proposing, tuner


def _language_model(shell: Shell) -> LanguageModel | None:
    settings = shell.settings
    interval_s = settings.orchestration.decision_interval_seconds
    deadline_s = settings.modelium_brain.deadline_seconds or interval_s / 2
    backend = backend_of(settings, deadline_s=deadline_s, clock=shell.clock)
    if backend is None:
        return None
    shell.resources.push_async_callback(backend.close)
    shell.task("backend", backend.run())
    return LanguageModel(backend, deadline_s=deadline_s, clock=shell.clock)


if __name__ == "__main__":
    run("brain", build)
