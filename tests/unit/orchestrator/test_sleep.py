"""Engines that can sleep: commands to sleep and to wake, and the memory that they give back."""

from modelium.common.events import SleepModel
from modelium.common.records import FailureKind, ModelState
from tests.unit.orchestrator.rig import a_model, a_slot, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB

ROOMY = (a_slot(total=5 * GB),)
"""For one engine of three gigabytes beside what another keeps asleep."""


async def test_two_models_take_turns_asleep() -> None:
    async with running(a_model("a"), a_model("b"), devices=ROOMY, sleep_memory_bytes=9 * GB) as rig:
        for model in ("a", "b", "a", "b"):
            await loaded(rig, model)
        assert rig.commands() == [
            "load a.1",
            "sleep a.1",
            "load b.1",
            "sleep b.1",
            "wake a.1",
            "sleep a.1",
            "wake b.1",
        ]
        assert (await rig.record("a")).state is ModelState.SLEEPING


async def test_an_agent_without_memory_for_sleepers_is_told_to_unload() -> None:
    async with running(a_model("a"), a_model("b"), devices=ROOMY) as rig:
        for model in ("a", "b"):
            await loaded(rig, model)
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_host_memory_is_promised_once() -> None:
    """There is enough for one of a gigabyte, which may take two."""
    three = [a_model(name) for name in ("a", "b", "c")]
    settings = some_settings(deepest_sleep=1)
    async with running(*three, settings=settings, devices=ROOMY, sleep_memory_bytes=3 * GB) as rig:
        rig.agent.load_s = 30.0
        for model in ("a", "b", "c"):
            await loaded(rig, model)
        assert rig.commands()[1:] == ["sleep a.1", "load b.1", "unload b.1", "load c.1"]


async def test_the_second_level_is_told_too() -> None:
    """It falls asleep sooner, as far as anybody knows."""
    async with running(a_model("a"), a_model("b"), devices=ROOMY, sleep_memory_bytes=9 * GB) as rig:
        for model in ("a", "b"):
            await loaded(rig, model)
        assert [c.level for c in rig.agent.commands if isinstance(c, SleepModel)] == [2]


async def test_nobody_sleeps_where_the_settings_forbid_it() -> None:
    settings = some_settings(deepest_sleep=0)
    async with running(
        a_model("a"), a_model("b"), settings=settings, devices=ROOMY, sleep_memory_bytes=9 * GB
    ) as rig:
        for model in ("a", "b"):
            await loaded(rig, model)
        assert "unload a.1" in rig.commands()


async def test_an_engine_that_proved_unfit_is_not_put_to_sleep_again() -> None:
    async with running(
        a_model("a"), a_model("b"), devices=ROOMY, sleep_memory_bytes=9 * GB, slow=True
    ) as rig:
        rig.agent.slow = False
        await loaded(rig, "a")
        rig.agent.slow = True
        rig.gateway.waits_for("b")
        await rig.seconds(8)
        assert rig.commands()[-1] == "sleep a.1"
        rig.agent.slow = False
        await rig.agent.fail("a.1", FailureKind.SLEEP_FAILED)
        await loaded(rig, "b")
        await loaded(rig, "a")
        await loaded(rig, "b")
        assert rig.commands()[-4:] == ["sleep b.1", "load a.2", "unload a.2", "wake b.1"]


async def test_a_restarted_orchestrator_wakes_what_sleeps() -> None:
    async with running(a_model("a"), a_model("b"), devices=ROOMY, sleep_memory_bytes=9 * GB) as rig:
        for model in ("a", "b"):
            await loaded(rig, model)
        await rig.kill()
        rig.start()
        await rig.seconds(3)
        await loaded(rig, "a")
        assert rig.commands()[-2:] == ["sleep b.1", "wake a.1"]
