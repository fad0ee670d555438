"""Whose advice counts, and what the brain is told."""

from modelium.common.events import (
    DecisionMade,
    MetricsTick,
)
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.records import ModelState
from modelium.core.digest import digest_of_tick
from tests.unit.orchestrator.rig import Rig, a_model, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB


def ticks(rig: Rig) -> list[MetricsTick]:
    return [tick for tick in rig.bus.of(MetricsTick) if isinstance(tick, MetricsTick)]


async def test_a_tick_tells_what_was_gathered_once_per_interval() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=6, idle_s=1, in_flight=2, waiting=1, oldest_wait_s=0.5)
        await rig.seconds(25)
        assert len(ticks(rig)) in (2, 3)
        first, later = ticks(rig)[0], ticks(rig)[-1]
        assert first.interval_s >= 10
        (figures,) = later.models
        assert (figures.state, figures.in_flight, figures.waiting) == (ModelState.LOADED, 2, 1)
        assert first.models[0].rate_per_s * first.interval_s == 6
        assert later.models[0].rate_per_s == 0
        assert later.devices[0].free_bytes == GB


def advice(rig: Rig, model: str, action: DecidedAction) -> DecisionMade:
    return DecisionMade(
        origin="brain",
        source=DecisionSource.LLM,
        inputs_digest=digest_of_tick(ticks(rig)[-1]),
        decisions=(Decision(model=model, action=action, reason="the brain says so"),),
    )


async def test_the_brains_advice_is_followed() -> None:
    async with running(a_model("a"), settings=some_settings(brain=True)) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=30)
        await rig.seconds(15)
        await rig.say(advice(rig, "a", DecidedAction.EVICT))
        await rig.seconds(1)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_advice_that_breaks_a_rule_is_dropped_and_published_with_the_rule() -> None:
    settings = some_settings(brain=True, always_loaded=("a",))
    async with running(a_model("a"), settings=settings) as rig:
        await rig.seconds(15)
        await rig.say(advice(rig, "a", DecidedAction.EVICT))
        await rig.seconds(1)
        assert rig.commands() == ["load a.1"]
        last = rig.bus.of(DecisionMade)[-1]
        assert isinstance(last, DecisionMade)
        assert (last.origin, last.decisions[0].dropped_by) == ("orchestrator", "pinned")


async def test_advice_on_a_tick_long_past_is_not_followed() -> None:
    async with running(a_model("a"), settings=some_settings(brain=True)) as rig:
        await loaded(rig, "a")
        await rig.seconds(15)
        late = advice(rig, "a", DecidedAction.EVICT)
        await rig.seconds(30)
        await rig.say(late)
        await rig.seconds(1)
        assert rig.commands() == ["load a.1"]


async def test_the_rules_take_over_after_two_ticks_without_an_answer() -> None:
    settings = some_settings(brain=True, evict_after_idle_seconds=5, evict_idle_always=True)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=9)
        await rig.seconds(20)
        assert len(ticks(rig)) == 2
        assert rig.commands() == ["load a.1"]
        await rig.seconds(11)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_while_the_brain_answers_the_rules_are_silent() -> None:
    settings = some_settings(brain=True, evict_after_idle_seconds=5, evict_idle_always=True)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=9)
        for _ in range(5):
            await rig.seconds(10)
            await rig.say(advice(rig, "a", DecidedAction.KEEP))
        assert rig.commands() == ["load a.1"]
