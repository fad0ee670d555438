"""Policies that are applied while an orchestrator runs change what it does, at once."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from modelium.common.events import PoliciesAsked, PoliciesChanged, SleepModel, UnloadModel
from modelium.common.load_settings import Settings
from modelium.common.policies import AppliedPolicies, PoliciesAnswer, PoliciesReport
from modelium.common.records import ModelState
from modelium.common.settings import Policies
from modelium.common.testing import FakeClock
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB
from tests.unit.orchestrator.test_two_orchestrators import TAKEN_OVER_S, two

ROOMY = (a_slot(total=5 * GB),)


async def store(rig: Rig, **policies: Any) -> None:
    """As the gateway writes it."""
    before = await rig.store.policies.get()
    record = AppliedPolicies(
        version=before.version if before else 0,
        policies=Policies(**policies),
        instead_of=rig.settings.orchestration.policies,
    )
    await rig.store.policies.save(record)


async def apply(rig: Rig, **policies: Any) -> None:
    await store(rig, **policies)
    await rig.say(PoliciesChanged())


async def report(rig: Rig) -> PoliciesReport:
    answer = await rig.bus.ask(PoliciesAsked(), PoliciesAnswer, timeout_s=5)
    assert answer.report is not None
    return answer.report


async def test_they_are_in_force_without_a_tick() -> None:
    async with running(a_model("a")) as rig:
        await apply(rig, min_residency_seconds=7)
        now = await report(rig)
        assert (now.version, now.policies.min_residency_seconds) == (1, 7)
        assert now.origins["min_residency_seconds"] == "applied"
        assert now.origins["drain_deadline_seconds"] == "default"


async def test_min_residency_protects_a_loaded_model_longer() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await apply(rig, min_residency_seconds=60)
        await loaded(rig, "a")
        rig.gateway.waits_for("b")
        await rig.seconds(20)
        assert rig.commands() == ["load a.1"]
        await apply(rig, min_residency_seconds=1)
        await rig.seconds(1)
        assert rig.commands()[1] == "unload a.1"


async def test_displace_after_lets_a_waiter_displace_one_in_use_sooner() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await apply(rig, displace_after_seconds=500)
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=9)
        rig.gateway.waits_for("b")
        await rig.seconds(60)
        assert rig.commands() == ["load a.1"]
        await apply(rig, displace_after_seconds=10)
        await rig.seconds(1)
        assert rig.commands()[1] == "unload a.1"


async def test_always_loaded_is_loaded_unasked_and_may_go_once_it_is_not() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await rig.seconds(3)
        assert rig.commands() == []
        await apply(rig, always_loaded=("a",))
        await rig.seconds(10)
        assert rig.commands() == ["load a.1"]
        rig.gateway.waits_for("b")
        await rig.seconds(40)
        assert rig.commands() == ["load a.1"]
        await apply(rig)
        await rig.seconds(2)
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_a_name_that_is_no_models_is_told_of_what_was_applied() -> None:
    async with running(a_model("a")) as rig:
        await apply(rig, always_loaded=("misspelt",))
        with capture_logs() as logs:
            await rig.seconds(61)
        told = [line for line in logs if line["event"] == "always_loaded.no_such_model"]
        assert [line["models"] for line in told] == [["misspelt"]]


async def test_deepest_sleep_of_0_unloads_what_would_have_slept() -> None:
    models = (a_model("a"), a_model("b"))
    async with running(*models, devices=ROOMY, sleep_memory_bytes=9 * GB) as rig:
        await loaded(rig, "a")
        await apply(rig, deepest_sleep=0)
        await loaded(rig, "b")
        await apply(rig, deepest_sleep=2)
        await loaded(rig, "a")
        assert [type(command) for command in rig.agent.commands[1::2]] == [UnloadModel, SleepModel]


@pytest.mark.parametrize(
    "policies",
    [
        {"evict_after_idle_seconds": 20, "evict_idle_always": True},
        {"evict_when_memory_above_percent": 10},
    ],
)
async def test_evicting_begins_when_it_is_applied(policies: dict[str, Any]) -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=25)
        await rig.seconds(35)
        assert rig.commands() == ["load a.1"]
        await apply(rig, **policies)
        await rig.seconds(11)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_the_drain_deadline_is_told_with_the_next_command() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        await apply(rig, drain_deadline_seconds=3)
        await loaded(rig, "b")
        [unload] = [c for c in rig.agent.commands if isinstance(c, UnloadModel)]
        assert unload.drain_deadline_s == 3


async def test_a_lost_message_is_made_good_by_the_next_look_at_the_store() -> None:
    async with running(a_model("a")) as rig:
        await store(rig, min_residency_seconds=7)
        assert (await report(rig)).version == 0
        await rig.seconds(31)
        assert (await report(rig)).policies.min_residency_seconds == 7


async def test_a_deleted_record_leaves_what_the_settings_say() -> None:
    async with running(a_model("a"), settings=some_settings(min_residency_seconds=3)) as rig:
        await apply(rig, min_residency_seconds=7)
        rig.store.policies = type(rig.store)(FakeClock()).policies
        await rig.say(PoliciesChanged())
        now = await report(rig)
        assert (now.version, now.policies.min_residency_seconds) == (0, 3)


async def restarted(rig: Rig, settings: Settings) -> PoliciesReport:
    await rig.kill()
    rig.settings = settings
    rig.start()
    await rig.seconds(1)
    return await report(rig)


@pytest.mark.parametrize(
    ("file", "in_force", "why"),
    [
        (5, 7, "the file was not touched since: what was applied counts"),
        (7, 7, "the file says what was applied"),
        (9, 9, "the file was changed since"),
    ],
)
async def test_after_a_restart_what_is_newer_counts(file: float, in_force: float, why: str) -> None:
    async with running(a_model("a"), settings=some_settings(min_residency_seconds=5)) as rig:
        await apply(rig, min_residency_seconds=7, deepest_sleep=1)
        now = await restarted(rig, some_settings(min_residency_seconds=file))
        assert now.policies.min_residency_seconds == in_force, why
        assert now.policies.deepest_sleep == 1


async def test_the_log_says_what_an_applied_policy_changes_at_a_restart() -> None:
    async with running(a_model("a")) as rig:
        await apply(rig, min_residency_seconds=7, always_loaded=("a",))
        with capture_logs() as logs:
            await restarted(rig, some_settings())
        [told] = [line for line in logs if line["event"] == "policies.changed"]
        assert told["min_residency_seconds"] == "5.0 -> 7.0"
        assert told["always_loaded"] == "[] -> [a]"


async def test_the_standby_goes_by_them_when_it_leads() -> None:
    async with two(a_model("a"), a_model("b")) as (rig, [first, second]):
        await apply(rig, always_loaded=("b",))
        await rig.seconds(10)
        await first.kill()
        await rig.seconds(TAKEN_OVER_S)
        assert second.lease.epoch is not None
        assert (await report(rig)).policies.always_loaded == ("b",)
        assert (await rig.record("b")).state is ModelState.LOADED
        assert rig.commands() == ["load b.1"]
