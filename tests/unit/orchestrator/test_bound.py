"""How long anybody waits at most, as it is told to people."""

from tests.unit.orchestrator.rig import a_model, running
from tests.unit.orchestrator.scripted import GB
from tests.unit.orchestrator.test_advising import ticks


async def test_how_long_one_waits_at_most_is_told_in_every_tick_and_to_who_waits() -> None:
    async with running(a_model("a"), a_model("b"), slow=True) as rig:
        for model in ("a", "b"):
            rig.gateway.waits_for(model)
        await rig.seconds(12)
        told = {m.model: m.wait_bound_s for m in (ticks(rig)[-1]).models}
        # Two models, 25 s each; loads of 30 s that serve as long; two engines stopped in each turn.
        assert told == {"a": 770, "b": 770} == dict.fromkeys("ab", 2 * (25 + 30 + 30 + 2 * 150))
        assert (await rig.record("b")).wait_bound_s == 770


async def test_who_has_waited_longer_than_the_bound_is_refused() -> None:
    async with running(a_model("a")) as rig:
        rig.agent.outside_bytes = 3 * GB
        rig.gateway.waits_for("a", since_s=380)
        await rig.seconds(3)
        assert not (await rig.record("a")).refused
        rig.gateway.waits_for("a", since_s=390)
        await rig.seconds(2)
        record = await rig.record("a")
        assert (record.refused, record.wait_bound_s) == (True, 385)
        assert record.reason.endswith("nobody waits for it longer than 385 s")


async def test_who_comes_after_a_refusal_waits_anew() -> None:
    async with running(a_model("a")) as rig:
        rig.agent.outside_bytes = 3 * GB
        rig.gateway.waits_for("a", since_s=390)
        await rig.seconds(3)
        rig.gateway.waits_for("a", since_s=1)
        await rig.seconds(2)
        assert not (await rig.record("a")).refused
