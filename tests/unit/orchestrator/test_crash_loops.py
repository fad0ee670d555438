"""Models whose engines end by themselves again and again."""

import pytest

from modelium.common.events import ModelRequested
from modelium.common.records import FailureKind
from tests.unit.orchestrator.rig import Rig, a_model, running


async def _crashes(rig: Rig, attempt: int) -> None:
    """As soon as this attempt serves."""
    while f"a.{attempt}" not in rig.agent.engines:
        await rig.seconds(1)
    await rig.agent.finish(f"a.{attempt}")
    await rig.seconds(1)
    await rig.agent.fail(f"a.{attempt}", FailureKind.CRASHED)


async def test_an_engine_that_crashes_whenever_it_is_ready_is_loaded_less_and_less_often() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        pauses = []
        for attempt in (1, 2, 3, 4):
            await _crashes(rig, attempt)
            since_s = rig.clock.monotonic()
            while len(rig.commands()) == attempt:
                await rig.seconds(1)
            pauses.append(rig.clock.monotonic() - since_s)
        # To the second in which the orchestrator looks again.
        assert all(0 <= p - wait <= 2 for p, wait in zip(pauses, (10, 20, 40, 80), strict=True))


@pytest.mark.parametrize(("requested_by", "loads"), [("operator", 2), ("client", 1)])
async def test_only_an_operator_need_not_wait_for_the_next_attempt(
    requested_by: str, loads: int
) -> None:
    async with running(a_model("a", failures=3), slow=True) as rig:
        rig.gateway.waits_for("a")
        await _crashes(rig, 1)
        await rig.seconds(3)
        assert rig.commands() == ["load a.1"]
        await rig.say(ModelRequested(model="a", requested_by=requested_by))
        await rig.seconds(2)
        assert len(rig.commands()) == loads


async def test_an_operator_skips_one_wait_not_those_that_follow() -> None:
    async with running(a_model("a", failures=3), slow=True) as rig:
        await rig.say(ModelRequested(model="a", requested_by="operator"))
        await _crashes(rig, 1)
        await rig.seconds(20)
        assert rig.commands() == ["load a.1"]
