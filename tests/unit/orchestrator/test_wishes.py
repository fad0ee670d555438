"""What clients of the gateways want, and how long that counts: waiting, and keeping."""

import pytest

from modelium.common.events import ModelRequested
from tests.unit.orchestrator.rig import Rig, a_model, loaded, running, some_settings


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
