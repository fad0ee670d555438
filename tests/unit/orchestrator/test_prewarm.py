"""A model that is expected is there before it is asked for."""

import pytest

from modelium.common.events import DecisionMade, ModelRequested, ModelUnloadRequested
from modelium.common.records import InstanceState, ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running, some_settings

PAUSE_S = 100


SETTINGS = some_settings(evict_after_idle_seconds=20, evict_idle_always=True, prewarm=True)


async def use(rig: Rig) -> None:
    await loaded(rig, "a")


async def pause(rig: Rig) -> ModelState:
    """Nobody uses it; returns what has become of it by the end."""
    for second in range(PAUSE_S):
        rig.gateway.says("a", requests=1, idle_s=second)
        await rig.seconds(1)
    return (await rig.record("a")).state


async def test_a_model_is_there_before_its_next_regular_use_unless_an_operator_unloaded_it() -> (
    None
):
    async with running(a_model("a"), settings=SETTINGS) as rig:
        for _ in range(4):
            await use(rig)
            assert await pause(rig) is ModelState.UNLOADED
        await use(rig)
        assert await pause(rig) is ModelState.LOADED
        await use(rig)
        await rig.say(ModelUnloadRequested(model="a"))
        assert await pause(rig) is ModelState.UNLOADED
        await use(rig)
        assert await pause(rig) is ModelState.LOADED


async def unused(rig: Rig, seconds: int, *models: str) -> None:
    """Time goes by in which nobody uses these."""
    for second in range(seconds):
        for model in models:
            rig.gateway.says(model, requests=1, idle_s=second)
        await rig.seconds(1)


async def test_a_model_that_follows_another_is_there_once_the_other_begins() -> None:
    slots = (a_slot(0), a_slot(1))
    async with running(a_model("a"), a_model("b"), settings=SETTINGS, devices=slots) as rig:
        for pause_s in (80, 100, 130, 170, 230):  # each longer than all before: no habit
            await loaded(rig, "a")
            await unused(rig, 15, "a")
            await loaded(rig, "b")
            await unused(rig, pause_s, "a", "b")
            assert (await rig.record("b")).state is ModelState.UNLOADED
        await loaded(rig, "a")
        await unused(rig, 12, "a")
        assert (await rig.record("b")).state is ModelState.LOADED
        said = [m.decisions for m in rig.bus.of(DecisionMade) if isinstance(m, DecisionMade)]
        reasons = [d.reason for decisions in said for d in decisions if d.model == "b"]
        assert any("expected soon after a (chance" in reason for reason in reasons)


async def regular(rig: Rig) -> None:
    """It comes every hundred seconds, and is about to be loaded ahead."""
    for _ in range(4):
        await use(rig)
        assert await pause(rig) is ModelState.UNLOADED
    await use(rig)


async def loading_ahead(rig: Rig) -> str:
    """Its engine, which takes as long as the test wants."""
    rig.agent.slow = True
    for second in range(PAUSE_S):
        rig.gateway.says("a", requests=1, idle_s=second)
        await rig.seconds(1)
        for instance_id, engine in list(rig.agent.engines.items()):
            if engine.state is InstanceState.UNLOADING:
                await rig.agent.finish(instance_id)
            elif engine.state is InstanceState.LOADING:
                return instance_id
    raise AssertionError("it was not loaded ahead")


async def test_a_model_that_was_loaded_ahead_for_nobody_is_not_until_its_next_use() -> None:
    async with running(a_model("a"), settings=SETTINGS) as rig:
        await regular(rig)
        assert await pause(rig) is ModelState.LOADED
        rig.agent.commands.clear()
        for second in range(PAUSE_S, 3 * PAUSE_S):
            rig.gateway.says("a", requests=1, idle_s=second)
            await rig.seconds(1)
        assert [command.split()[0] for command in rig.commands()] == ["unload"]


async def test_a_load_ahead_is_given_up_for_who_needs_its_memory() -> None:
    async with running(a_model("a"), a_model("b"), settings=SETTINGS) as rig:
        await regular(rig)
        early = await loading_ahead(rig)
        rig.gateway.waits_for("b")
        await rig.seconds(1)
        assert rig.commands()[-1] == f"unload {early}"
        await rig.agent.finish(early)
        await rig.seconds(1)
        assert rig.commands()[-1].startswith("load b")


@pytest.mark.parametrize("asked", ["waited for", "by another system"])
async def test_a_load_ahead_that_somebody_has_asked_for_goes_on(asked: str) -> None:
    async with running(a_model("a"), a_model("b"), settings=SETTINGS) as rig:
        await regular(rig)
        await loading_ahead(rig)
        if asked == "waited for":
            rig.gateway.waits_for("a")
        else:
            await rig.say(ModelRequested(model="a", requested_by="cron"))
        await rig.seconds(1)
        rig.gateway.says("a", requests=1, idle_s=PAUSE_S)
        await rig.seconds(61)  # a wish counts no longer than this
        rig.gateway.waits_for("b")
        rig.agent.commands.clear()
        await rig.seconds(3)
        assert rig.commands() == []
