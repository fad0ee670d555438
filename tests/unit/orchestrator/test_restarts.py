"""What is lost with a process or a message, and what is not."""

from modelium.common.events import (
    LoadModel,
    ModelRequested,
    ModelUnloadRequested,
)
from modelium.common.records import ModelState
from tests.unit.orchestrator.rig import a_model, loaded, running


async def test_nothing_is_decided_before_gateways_had_time_to_speak() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        await rig.seconds(6)
        await rig.kill()
        rig.gateway.silent = True
        rig.start()
        await rig.say(ModelRequested(model="b"))
        await rig.seconds(1)
        assert rig.commands() == ["load a.1"]
        await rig.seconds(2)
        assert "unload a.1" in rig.commands()


async def test_a_command_on_its_way_is_not_given_twice() -> None:
    async with running(a_model("a")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(9)
        assert rig.commands() == ["load a.1"]


async def test_a_load_its_agent_forgot_reaches_it_again_after_ten_seconds() -> None:
    """The agent was killed when it had acknowledged the command and not yet noted it."""
    async with running(a_model("a")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        rig.agent.deaf = False
        await rig.seconds(10)
        assert rig.commands() == ["load a.1", "load a.1"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_an_unload_its_agent_forgot_reaches_it_again_as_often_as_needed() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        await rig.seconds(6)
        rig.agent.deaf = True
        await rig.say(ModelUnloadRequested(model="a"))
        await rig.seconds(12)
        rig.agent.deaf = False
        await rig.seconds(10)
        assert rig.commands() == ["load a.1", "unload a.1", "unload a.1", "unload a.1"]
        assert (await rig.record("a")).state is ModelState.UNLOADED


async def test_a_restarted_orchestrator_gives_the_same_command_again() -> None:
    """Same generation and message id: stored once, carried out once."""
    async with running(a_model("a")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        await rig.kill()
        rig.start()
        await rig.seconds(4)
        commands = [m for m in rig.bus.published if isinstance(m, LoadModel)]
        assert {(m.instance_id, m.message_id) for m in commands} == {("a.1", "a.1-load")}
        assert rig.commands() == ["load a.1"]


async def test_a_restart_during_a_load_neither_loads_again_nor_forgets_the_waiter() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        await rig.kill()
        rig.start()
        await rig.seconds(5)
        await rig.agent.finish("a.1")
        await rig.seconds(2)
        assert rig.commands() == ["load a.1"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_an_old_request_from_the_stream_is_nobodys_any_more() -> None:
    async with running(a_model("a")) as rig:
        request = ModelRequested(model="a", occurred_at=rig.clock.now())
        await rig.seconds(61)
        await rig.say(request)
        await rig.seconds(1)
        assert rig.commands() == []


async def test_messages_that_were_missed_are_made_up_from_the_store() -> None:
    async with running() as rig:
        rig.gateway.waits_for("late")
        await rig.store.models.save(a_model("late"))
        await rig.bus.lose_messages()
        await rig.seconds(2)
        assert rig.commands() == ["load late.1"]
