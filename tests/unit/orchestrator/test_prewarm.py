"""A model that is expected is there before it is asked for."""

from modelium.common.events import DecisionMade, ModelUnloadRequested
from modelium.common.records import ModelState
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
