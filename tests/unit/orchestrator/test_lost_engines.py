"""Engines and agents that are gone, and that come back."""

from typing import Any

from modelium.common.events import (
    RuntimeFailed,
)
from modelium.common.records import FailureKind, Instance, InstanceState, ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running
from tests.unit.orchestrator.scripted import GB


async def test_a_waiting_request_is_enough_when_the_message_was_lost() -> None:
    async with running(a_model("a")) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        assert rig.commands() == ["load a.1"]


async def test_engines_of_a_silent_agent_are_reported_lost_once() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.agent.silent = True
        await rig.seconds(8)
        assert rig.bus.of(RuntimeFailed) == []
        await rig.seconds(6)
        (failed,) = rig.bus.of(RuntimeFailed)
        assert isinstance(failed, RuntimeFailed)
        assert (failed.kind, failed.instance_id) == (FailureKind.LOST, "a.1")
        assert (await rig.record("a")).state is ModelState.ERROR


async def test_silence_while_nats_is_away_is_not_the_agents() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.agent.silent, rig.bus.connected = True, False
        await rig.seconds(30)
        rig.agent.silent, rig.bus.connected = False, True
        await rig.seconds(5)
        assert rig.bus.of(RuntimeFailed) == []


async def test_an_agent_that_comes_back_with_its_engine_serves_again() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.agent.silent = True
        await rig.seconds(12)
        rig.agent.silent = False
        await rig.seconds(3)
        assert (await rig.record("a")).state is ModelState.LOADED
        assert rig.commands() == ["load a.1"]


async def test_an_engine_that_was_replaced_meanwhile_is_stopped() -> None:
    async with running(a_model("a"), devices=(a_slot(total=9 * GB),)) as rig:
        await loaded(rig, "a")
        old = rig.agent.engines["a.1"]
        await rig.agent.on_unload_model(_unload_of(rig))
        await loaded(rig, "a")
        rig.agent.engines["a.1"] = old
        await rig.seconds(8)
        assert rig.commands()[-1] == "unload a.1"
        assert list(rig.agent.engines) == ["a.2"]


async def test_an_engine_that_belongs_to_no_model_is_told_to_stop_until_it_does() -> None:
    async with running(a_model("a", generation=2, ended_generation=2)) as rig:
        rig.agent.deaf = True
        rig.agent.engines["a.1"] = Instance(
            instance_id="a.1",
            model="a",
            agent_id="local",
            device_ids=("cpu-local-0",),
            generation=1,
            state=InstanceState.LOADED,
        )
        await rig.seconds(8)
        assert rig.commands() == ["unload a.1"]
        rig.agent.deaf = False
        await rig.seconds(10)
        assert rig.commands() == ["unload a.1", "unload a.1"]
        assert rig.agent.engines == {}


def _unload_of(rig: Rig) -> Any:
    from modelium.common.events import UnloadModel

    return UnloadModel(
        agent_id="local",
        model="a",
        instance_id="a.1",
        generation=1,
        reason="test",
        drain_deadline_s=0,
    )


async def test_an_engine_its_agent_no_longer_has_is_reported_lost() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.agent.engines.clear()
        await rig.seconds(28)
        assert rig.bus.of(RuntimeFailed) == []
        await rig.seconds(5)
        assert len(rig.bus.of(RuntimeFailed)) == 1


async def test_a_load_sent_to_an_agent_that_went_silent_still_counts_when_it_is_back() -> None:
    async with running(a_model("a")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        rig.agent.silent = True
        await rig.seconds(12)
        rig.agent.silent = rig.agent.deaf = False
        await rig.seconds(3)
        assert rig.commands() == ["load a.1", "load a.1", "load a.1"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_memory_of_a_load_left_behind_is_nobody_elses_when_its_agent_is_back() -> None:
    """NATS keeps the command; the agent is heard before it hears that."""
    async with running(a_model("a"), a_model("b")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        rig.gateway.models.clear()
        rig.agent.silent = True
        await rig.seconds(15)
        rig.gateway.waits_for("b")
        rig.agent.silent = False
        await rig.seconds(3)
        assert "load b.1" not in rig.commands()
        rig.agent.deaf = False
        await rig.seconds(20)
        assert rig.commands()[-2:] == ["unload a.1", "load b.1"]
