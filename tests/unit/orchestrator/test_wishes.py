"""What clients of the gateways want, and how long that counts: waiting, and keeping."""

import pytest

from modelium.common.events import (
    ModelPinRequested,
    ModelRequested,
    ModelRetryRequested,
    ModelSleepRequested,
    ModelUnloadRequested,
    SleepAsked,
)
from modelium.common.plans import SleepAnswer
from modelium.common.records import FailureKind, ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB


async def wish_that_has_to_wait(rig: Rig, requested_by: str) -> None:
    """`b` is wanted while `a`, which is in use, has the memory."""
    await loaded(rig, "a")
    rig.gateway.says("a", in_flight=9)
    await rig.seconds(1)
    await rig.say(ModelRequested(model="b", requested_by=requested_by))
    rig.gateway.says("b")  # nobody waits any more
    await rig.seconds(2)
    assert rig.commands() == ["load a.1"]
    rig.gateway.says("a", idle_s=1)
    await rig.seconds(8)


async def test_a_wish_of_a_gateway_lapses_when_nobody_waits_there_any_more() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await wish_that_has_to_wait(rig, "gateway")
        assert rig.commands() == ["load a.1"]


@pytest.mark.parametrize("requested_by", ["operator", "system", ""])
async def test_the_wish_of_anybody_else_stays(requested_by: str) -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await wish_that_has_to_wait(rig, requested_by)
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_a_wish_counts_while_a_gateway_says_that_somebody_waits() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=9)
        await rig.seconds(1)
        await rig.say(ModelRequested(model="b", requested_by="gateway"))
        rig.gateway.waits_for("b")
        await rig.seconds(1)
        rig.gateway.says("a", idle_s=1)
        await rig.seconds(8)
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_a_model_kept_for_no_time_is_unloaded_when_its_last_request_ends() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=1, keep_alive_s=0, keep_alive_age_s=0)
        await rig.seconds(3)
        assert rig.commands() == ["load a.1"]
        rig.gateway.says("a", requests=2, idle_s=0, keep_alive_s=0, keep_alive_age_s=0)
        await rig.seconds(1)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_a_model_is_kept_for_longer_than_the_settings_say() -> None:
    settings = some_settings(evict_after_idle_seconds=20, evict_idle_always=True)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        for second in range(50):
            rig.gateway.says("a", requests=1, idle_s=second, keep_alive_s=40, keep_alive_age_s=0)
            await rig.seconds(1)
            if second < 39:
                assert rig.commands() == ["load a.1"]
        assert rig.commands() == ["load a.1", "unload a.1"]


@pytest.mark.parametrize(
    ("keep_alive_s", "others", "unloads"),
    [
        (0, {}, True),
        (0, {"globex": 3.0}, False),
        (0, {"globex": 30.0}, True),  # longer than the settings keep anything
        (90, {"globex": 3.0}, False),  # it lengthens: that is nobody's loss
    ],
)
async def test_a_keep_alive_does_not_unload_what_another_organization_uses(
    keep_alive_s: float, others: dict[str, float], unloads: bool
) -> None:
    settings = some_settings(evict_after_idle_seconds=20)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=1)
        await rig.seconds(40)
        rig.gateway.says(
            "a",
            requests=2,
            idle_s=0,
            keep_alive_s=keep_alive_s,
            keep_alive_by="acme",
            organizations_idle_s={"acme": 0.0, **others},
        )
        await rig.seconds(2)
        assert rig.commands() == ["load a.1"] + ["unload a.1"] * unloads


async def test_what_was_said_before_an_engine_was_loaded_does_not_count_for_it() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=99, keep_alive_s=0, keep_alive_age_s=99)
        await rig.seconds(5)
        assert rig.commands() == ["load a.1"]


async def obstacle(rig: Rig, model: str) -> str:
    answer = await rig.bus.ask(SleepAsked(model=model), SleepAnswer, timeout_s=1)
    assert answer.problem == ""
    return answer.obstacle


async def test_an_operator_can_put_a_model_to_sleep_until_it_is_wanted() -> None:
    async with running(a_model("a"), sleep_memory_bytes=9 * GB) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", idle_s=600)
        await rig.seconds(1)
        assert await obstacle(rig, "a") == ""
        await rig.say(ModelSleepRequested(model="a"))
        await rig.seconds(90)
        assert rig.commands() == ["load a.1", "sleep a.1"]
        assert (await rig.record("a")).state is ModelState.SLEEPING
        await loaded(rig, "a")
        await rig.seconds(5)
        assert rig.commands() == ["load a.1", "sleep a.1", "wake a.1"]


async def test_why_a_model_cannot_be_put_to_sleep_is_told() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        assert "vllm.sleep_mode" in await obstacle(rig, "a")
        assert "it is unloaded" in await obstacle(rig, "b")
        await rig.say(ModelSleepRequested(model="a"))
        await rig.seconds(3)
        assert rig.commands() == ["load a.1"]
        unknown = await rig.bus.ask(SleepAsked(model="c"), SleepAnswer, timeout_s=1)
        assert "does not know" in unknown.problem


async def test_a_wish_for_sleep_that_comes_to_nothing_lapses() -> None:
    settings = some_settings(deepest_sleep=1)  # in host memory, of which there is none
    async with running(a_model("a"), settings=settings, sleep_memory_bytes=1) as rig:
        await loaded(rig, "a")
        await rig.say(ModelSleepRequested(model="a"))
        await rig.seconds(70)
        rig.agent.sleep_memory_bytes = 9 * GB
        await rig.seconds(5)
        assert rig.commands() == ["load a.1"]


async def test_a_retry_leaves_the_error_at_once_and_forgets_all_failures() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        await rig.agent.fail("a.1", FailureKind.CRASHED)
        await rig.seconds(2)
        failed = await rig.record("a")
        assert (failed.state, failed.failures) == (ModelState.ERROR, 1)
        rig.gateway.says("a")
        await rig.say(ModelRetryRequested(model="a"))
        again = await rig.record("a")
        assert (again.failures, again.retry_at) == (0, None)
        await rig.seconds(2)
        assert rig.commands() == ["load a.1", "load a.2"]


async def test_a_pin_is_loaded_unasked_is_no_victim_and_outlives_the_orchestrator() -> None:
    settings = some_settings(evict_after_idle_seconds=5, evict_idle_always=True)
    async with running(a_model("a"), a_model("b"), settings=settings) as rig:
        await rig.say(ModelPinRequested(model="a"))
        await rig.seconds(3)
        assert rig.commands() == ["load a.1"]
        await rig.kill()
        rig.start()
        rig.gateway.waits_for("b", since_s=99)
        await rig.seconds(40)
        await rig.say(ModelUnloadRequested(model="a"))
        await rig.seconds(2)
        assert rig.commands() == ["load a.1"]
        await rig.say(ModelPinRequested(model="a", pinned=False))
        await rig.seconds(3)
        assert rig.commands()[1:] == ["unload a.1", "load b.1"]


async def test_a_sleeper_that_is_pinned_is_woken() -> None:
    devices = (a_slot(total=5 * GB),)
    async with running(a_model("a"), devices=devices, sleep_memory_bytes=9 * GB) as rig:
        await loaded(rig, "a")
        await rig.say(ModelSleepRequested(model="a"))
        await rig.seconds(3)
        await rig.say(ModelPinRequested(model="a"))
        await rig.seconds(3)
        assert rig.commands() == ["load a.1", "sleep a.1", "wake a.1"]
