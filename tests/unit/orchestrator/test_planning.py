"""What the orchestrator answers to `plan.asked`, and that it then does it."""

import asyncio

import pytest

from modelium.common.errors import DependencyUnavailable
from modelium.common.events import DecisionMade, PlanAsked
from modelium.common.figures import DecidedAction
from modelium.common.plans import Plan, PlanAnswer, PlanOutcome
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running
from tests.unit.orchestrator.scripted import GB

WAIT_S = 20.0


async def answer(rig: Rig, model: str) -> PlanAnswer:
    return await rig.bus.ask(PlanAsked(model=model), PlanAnswer, timeout_s=WAIT_S)


async def planned(rig: Rig, model: str) -> Plan:
    plan = (await answer(rig, model)).plan
    assert plan is not None
    return plan


async def test_a_model_that_fits_would_be_loaded_there_and_is() -> None:
    async with running(a_model("a"), devices=(a_slot(0), a_slot(1, total=8 * GB))) as rig:
        plan = await planned(rig, "a")
        assert (plan.outcome, plan.device_ids) == (PlanOutcome.LOAD, ("cpu-local-1",))
        assert (plan.needed_bytes, plan.free_bytes) == (3 * GB, 8 * GB)
        assert rig.commands() == []
        await loaded(rig, "a")
        assert (await rig.record("a")).device_ids == plan.device_ids
        assert (await planned(rig, "a")).outcome is PlanOutcome.ROUTE


async def test_asking_asks_for_nothing() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        await rig.seconds(10)
        for _ in range(3):
            assert (await planned(rig, "b")).outcome is PlanOutcome.DISPLACE
            await rig.seconds(1)
        assert rig.commands() == ["load a.1"]


async def test_the_victims_of_the_plan_are_those_that_go() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        await rig.seconds(10)
        [victim] = (await planned(rig, "b")).victims
        assert (victim.model, victim.held_bytes) == ("a", 3 * GB)
        await loaded(rig, "b")
        assert rig.commands() == ["load a.1", "unload a.1", "load b.1"]


async def test_a_load_on_its_way_would_be_joined() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        assert (await planned(rig, "a")).outcome is PlanOutcome.JOIN


async def test_a_model_nobody_has_heard_of_has_no_plan() -> None:
    async with running(a_model("a")) as rig:
        found = await answer(rig, "nobody")
        assert found.plan is None
        assert "does not know a model nobody" in found.problem


async def test_one_that_has_just_started_says_so() -> None:
    async with running(a_model("a")) as rig:
        await rig.kill()
        rig.bus.connected = False
        rig.start()
        await rig.clock.advance(0)
        found = await answer(rig, "a")
        assert found.plan is None
        assert "just started" in found.problem


async def test_without_an_orchestrator_nobody_answers() -> None:
    async with running(a_model("a")) as rig:
        await rig.kill()
        with pytest.raises(DependencyUnavailable, match="orchestrator does not run"):
            await answer(rig, "a")


async def test_who_asked_and_left_harms_nobody() -> None:
    async with running(a_model("a")) as rig:
        asking = asyncio.ensure_future(answer(rig, "a"))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert (await planned(rig, "a")).outcome is PlanOutcome.LOAD


async def test_decisions_say_where_and_who_gives_way() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        await loaded(rig, "a")
        await rig.seconds(10)
        await loaded(rig, "b")
        said = [
            d for m in rig.bus.of(DecisionMade) if isinstance(m, DecisionMade) for d in m.decisions
        ]
        [queued] = [d for d in said if d.action is DecidedAction.QUEUE]
        assert (queued.model, queued.victims, queued.device_ids) == ("b", ("a",), ("cpu-local-0",))
        loads = [d.device_ids for d in said if d.action is DecidedAction.LOAD]
        assert loads == [("cpu-local-0",), ("cpu-local-0",)]
