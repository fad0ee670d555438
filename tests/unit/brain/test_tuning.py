"""Policies are fitted to the demand: what is replayed, what is applied, and what is left alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelium.brain.demand import Demand
from modelium.brain.language_model import LanguageModel
from modelium.brain.tuning.job import Done, Job
from modelium.brain.tuning.proposing import Proposing
from modelium.brain.tuning.replaying import TookTooLong
from modelium.brain.tuning.tuner import Tuner
from modelium.common.events import PoliciesChanged
from modelium.common.figures import GatewayModelStats
from modelium.common.policies import AppliedPolicies, PoliciesInForce
from modelium.common.reports import GatewayStats
from modelium.common.settings_policies import Policies
from modelium.common.testing import FakeClock, InMemoryBus, InMemoryStore
from modelium.core.prompts import NoAnswer
from modelium.core.tuning import CURRENT, LRU, Replayed
from modelium.replay.parts import Need
from tests.unit.brain.kit import GB, Scripted, cold, figures, tick

EVERY_S = 3600.0
LATER = "displace_after_seconds=50"
SILENCE = NoAnswer("none")
AS_IT_IS = Replayed(10.0, 10.0, 10.0, 100.0, cold=500)
BETTER = Replayed(8.0, 8.0, 8.0, 99.0, cold=500)


def stats(requests: int) -> GatewayStats:
    model = GatewayModelStats(
        model="a",
        requests=requests,
        failures=0,
        in_flight=0,
        waiting=0,
        oldest_wait_s=0,
        idle_s=None,
        routed_generations=(),
    )
    return GatewayStats(gateway_id="g", models=(model,))


@dataclass
class Replays:
    """In the child's place; says of each candidate what it is told to."""

    better: str = LATER
    error: TookTooLong | None = None
    spent_ratio: float = 1.0
    jobs: list[Job] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What happens while the second one runs."""

    async def __call__(self, job: Job) -> Done:
        self.jobs.append(job)
        if self.meanwhile and len(self.jobs) == 2:
            await self.meanwhile()
        if self.error:
            raise self.error
        names = (*job.candidates, LRU)
        replayed = {n: BETTER if n == self.better else AS_IT_IS for n in names}
        return Done(replayed=replayed, spent_ratio=self.spent_ratio)


class Rig:
    """A tuner at work on 200 requests."""

    def __init__(self, replays: Replays, said: str | NoAnswer = SILENCE, **configured: Any) -> None:
        """`said`: by the language model, when it is asked what to try."""
        self.clock, self.bus, self.replays = FakeClock(), InMemoryBus(), replays
        self.store = InMemoryStore(self.clock)
        origins = {f"orchestration.policies.{name}": "/m.yaml" for name in configured}
        self.policies = PoliciesInForce(Policies(**configured), origins)
        self.demand = Demand(began_s=0.0, window_hours=6)
        self.backend = Scripted([said])
        self.proposing = Proposing(
            language_model=LanguageModel(self.backend, deadline_s=0.05, clock=self.clock),
            policies=self.policies,
            demand=self.demand,
        )
        self.tuner = Tuner(
            demand=self.demand,
            policies=self.policies,
            proposing=self.proposing,
            replay=replays,
            every_s=EVERY_S,
            interval_s=10,
            patience_s=50,
            store=self.store.policies,
            bus=self.bus,
            clock=self.clock,
        )

    async def rounds(self, count: int) -> None:
        task = asyncio.create_task(self.tuner.run())
        for _ in range(count):
            self.ask_for(200)
            await self.clock.advance(EVERY_S)
            await self.proposing.next()
            self.policies.use(await self.store.policies.get())
        task.cancel()

    def ask_for(self, requests: int) -> None:
        now_s = self.clock.monotonic()
        self.demand.ticked(tick(cold("a", needed_bytes=8 * GB), cold("huge", needed_bytes=99 * GB)))
        self.demand.heard(stats(0), now_s)
        self.demand.heard(stats(requests), now_s + 1)


async def test_who_wins_twice_is_applied_and_told_with_the_figures() -> None:
    rig = Rig(Replays())
    await rig.rounds(1)
    assert await rig.store.policies.get() is None
    await rig.rounds(1)
    applied = await rig.store.policies.get()
    assert applied is not None
    assert applied.policies == Policies(displace_after_seconds=50)
    means = f"mean wait 8.00 s with {LATER}, 10.00 s as it is, 10.00 s by LRU"
    reason = f"{means}; p99 99.00, 100.00, 100.00 s"
    [told] = rig.bus.of(PoliciesChanged)
    assert isinstance(told, PoliciesChanged)
    assert told.changes == {"displace_after_seconds": "25.0 -> 50.0"}
    assert told.reason == reason
    assert rig.tuner.status().changed == reason
    assert rig.policies.report().origins["displace_after_seconds"] == "tuned"


async def test_what_comes_after_a_change_is_judged_by_demand_that_came_after_it() -> None:
    rig = Rig(Replays())
    await rig.rounds(2)
    assert rig.tuner.status().requests == 0


async def test_what_an_operator_has_set_is_no_candidate() -> None:
    rig = Rig(Replays(), displace_after_seconds=30)
    await rig.rounds(1)
    assert not [n for n in rig.replays.jobs[0].candidates if n.startswith("displace")]


async def test_what_an_operator_applies_is_his_from_then_on() -> None:
    rig = Rig(Replays())
    await rig.rounds(2)
    stored = await rig.store.policies.get()
    assert stored is not None
    operators = AppliedPolicies(
        version=stored.version,
        policies=Policies(displace_after_seconds=40),
        instead_of=Policies(),
    )
    await rig.store.policies.save(operators)
    rig.policies.use(operators)
    await rig.rounds(2)  # the first forgets what came before
    assert len(rig.replays.jobs) == 3
    assert not [n for n in rig.replays.jobs[-1].candidates if n.startswith("displace")]
    assert rig.policies.current.displace_after_seconds == 40


async def test_what_an_operator_applies_while_a_replay_runs_is_not_undone() -> None:
    # It was, as long as the brain had not read it: it saved over whatever was stored by then.
    rig = Rig(Replays())
    operators = AppliedPolicies(policies=Policies(displace_after_seconds=40), instead_of=Policies())

    async def apply() -> None:
        await rig.store.policies.save(operators)

    rig.replays.meanwhile = apply
    await rig.rounds(2)
    stored = await rig.store.policies.get()
    assert stored is not None
    assert stored.policies == operators.policies
    assert stored.tuned is None
    assert rig.tuner.status().last == "the policies were changed in the meantime"


async def test_tuning_one_policy_leaves_what_is_stored_of_the_others() -> None:
    # Also where the brain's own settings say otherwise than the orchestrator's do.
    rig = Rig(Replays(), deepest_sleep=1)
    applied = Policies(deepest_sleep=0)
    await rig.store.policies.save(AppliedPolicies(policies=applied, instead_of=Policies()))
    rig.policies.use(await rig.store.policies.get())
    await rig.rounds(2)
    stored = await rig.store.policies.get()
    assert stored is not None
    assert stored.policies == Policies(deepest_sleep=0, displace_after_seconds=50)
    assert stored.instead_of == Policies()
    assert stored.tuned is not None
    assert stored.tuned.names == ("displace_after_seconds",)


async def test_a_change_by_somebody_else_begins_the_proof_anew() -> None:
    rig = Rig(Replays())
    await rig.rounds(1)
    another = AppliedPolicies(policies=Policies(min_residency_seconds=9), instead_of=Policies())
    await rig.store.policies.save(another)
    rig.policies.use(another)
    await rig.rounds(1)
    assert "0 requests" in rig.tuner.status().last  # what came before is not looked at again
    await rig.rounds(1)
    assert "must win once more" in rig.tuner.status().last
    stored = await rig.store.policies.get()
    assert stored is not None
    assert stored.policies == another.policies


BOTH = "displace_after_seconds=80 min_residency_seconds=20"
SAYS_BOTH = '{"displace_after_seconds": "80", "min_residency_seconds": "20"}'


async def test_what_a_language_model_proposes_is_one_more_candidate() -> None:
    rig = Rig(Replays(better=BOTH), said=SAYS_BOTH)
    await rig.rounds(3)
    seen = [BOTH in job.candidates for job in rig.replays.jobs]
    assert seen == [False, True, True]  # it is asked once a round has begun
    assert len(rig.backend.asked) == 1
    stored = await rig.store.policies.get()
    assert stored is not None
    both = Policies(displace_after_seconds=80, min_residency_seconds=20)
    assert stored.policies == both
    assert stored.tuned is not None
    assert stored.tuned.names == ("displace_after_seconds", "min_residency_seconds")


async def test_what_is_proposed_and_does_not_win_changes_nothing() -> None:
    rig = Rig(Replays(better=CURRENT), said=SAYS_BOTH)
    await rig.rounds(4)
    assert await rig.store.policies.get() is None


@pytest.mark.parametrize(
    "said", [NoAnswer("down"), "evict all", '{"displace_after_seconds": "9999"}']
)
async def test_without_a_proposal_the_others_are_replayed(said: str | NoAnswer) -> None:
    rig = Rig(Replays(), said=said)
    await rig.rounds(2)
    assert len(rig.backend.asked) == 2  # once after each round
    assert {len(job.candidates) for job in rig.replays.jobs} == {5}
    assert await rig.store.policies.get() is not None


async def test_what_an_operator_has_set_is_not_asked_about() -> None:
    rig = Rig(Replays(), said='{"min_residency_seconds": "20"}', displace_after_seconds=30)
    await rig.rounds(1)
    [question] = rig.backend.asked
    assert list(question.schema["properties"]) == ["min_residency_seconds"]


async def test_a_replay_that_takes_too_long_is_given_up_and_halved() -> None:
    rig = Rig(Replays(error=TookTooLong("the replay took more than 300 s of CPU")))
    await rig.rounds(2)
    assert [len(job.requests) for job in rig.replays.jobs] == [200, 200]  # of 200, then of 400
    assert "300 s of CPU" in rig.tuner.status().last
    assert await rig.store.policies.get() is None


@pytest.mark.parametrize(
    ("spent_ratio", "replayed"), [(0.41, [200, 200, 300, 400]), (0.4, [200, 200, 300, 800])]
)
async def test_all_is_replayed_again_once_there_is_time_for_it(
    spent_ratio: float, replayed: list[int]
) -> None:
    # One round that took too long, on a busy machine, halved what was replayed for good.
    rig = Rig(Replays(better=CURRENT, error=TookTooLong("too long")))
    await rig.rounds(1)
    rig.replays.error = None
    rig.replays.spent_ratio = 1.0
    await rig.rounds(1)
    rig.replays.spent_ratio = spent_ratio
    await rig.rounds(2)
    assert [len(job.requests) for job in rig.replays.jobs] == replayed


async def test_models_that_fit_no_device_are_not_replayed() -> None:
    rig = Rig(Replays())
    await rig.rounds(1)
    [job] = rig.replays.jobs
    assert job.needs == {"a": Need(8 * GB, 20.0)}
    assert (job.devices, job.device_bytes) == (1, 24 * GB)


async def test_where_engines_sleep_nothing_is_replayed() -> None:
    rig = Rig(Replays())
    rig.demand.ticked(tick(figures("b", can_sleep=True)))
    await rig.rounds(1)
    assert rig.replays.jobs == []
    assert "engines can sleep here" in rig.tuner.status().last
