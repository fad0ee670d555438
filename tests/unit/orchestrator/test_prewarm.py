"""A model that comes regularly is there before it is asked for."""

from modelium.common.events import ModelUnloadRequested
from modelium.common.records import ModelState
from tests.unit.orchestrator.rig import Rig, a_model, loaded, running, some_settings

PAUSE_S = 100


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
    settings = some_settings(evict_after_idle_seconds=20, evict_idle_always=True, prewarm=True)
    async with running(a_model("a"), settings=settings) as rig:
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
