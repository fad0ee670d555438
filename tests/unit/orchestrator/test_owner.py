"""What the orchestrator does when things happen around it."""

from typing import Any

from modelium.common.events import (
    DecisionMade,
    LoadModel,
    MetricsTick,
    ModelRemoved,
    ModelRequested,
    ModelUnloadRequested,
    RuntimeFailed,
)
from modelium.common.figures import DecidedAction, Decision, DecisionSource
from modelium.common.records import FailureKind, InstanceState, ModelState
from modelium.core.digest import digest_of_tick
from tests.unit.orchestrator.rig import GB, Rig, a_model, a_slot, running, some_settings


async def loaded(rig: Rig, model: str) -> None:
    """Ask for a model until it is loaded; then its request ends."""
    rig.gateway.waits_for(model)
    for _ in range(30):
        await rig.seconds(1)
        if (await rig.record(model)).state is ModelState.LOADED:
            break
    rig.gateway.says(model, requests=1, idle_s=0)
    assert (await rig.record(model)).state is ModelState.LOADED


async def test_a_requested_model_is_loaded_without_waiting_for_a_tick() -> None:
    async with running(a_model("a")) as rig:
        await rig.say(ModelRequested(model="a", requested_by="gateway"))
        assert rig.commands() == ["load a.1"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_the_command_says_what_to_load_and_within_which_memory() -> None:
    async with running(a_model("a")) as rig:
        await rig.say(ModelRequested(model="a"))
        (command,) = rig.agent.commands
        assert isinstance(command, LoadModel)
        assert command.message_id == "a.1-load"
        assert (command.path, command.device_ids) == ("/models/a", ("cpu-local-0",))
        assert (command.reserve_bytes, command.kv_cache_bytes) == (3 * GB, GB)
        assert command.context_length == 16


async def test_a_waiting_request_is_enough_when_the_message_was_lost() -> None:
    async with running(a_model("a")) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        assert rig.commands() == ["load a.1"]


async def test_two_models_with_memory_for_one_take_turns() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        for model in ("a", "b", "a", "b"):
            await loaded(rig, model)
        assert rig.commands() == [
            "load a.1",
            "unload a.1",
            "load b.1",
            "unload b.1",
            "load a.2",
            "unload a.2",
            "load b.2",
        ]


async def test_a_model_that_waits_is_told_why_once() -> None:
    async with running(a_model("a"), a_model("b"), slow=True) as rig:
        rig.agent.slow = False
        await loaded(rig, "a")
        rig.agent.slow = True
        rig.gateway.waits_for("b")
        await rig.seconds(20)
        assert rig.queue_reasons("b") == [
            "needs 2.8 GiB, CPU slot 0 has 0.9 GiB free; a stays at least 4 s more",
            "needs 2.8 GiB, CPU slot 0 has 0.9 GiB free; waiting for a to drain",
        ]
        assert "waiting for a to drain" in (await rig.record("b")).reason


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
        await rig.seconds(25)
        assert rig.commands() == ["load a.1"]


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


async def test_devices_load_in_parallel_and_the_ledger_counts_what_is_still_loading() -> None:
    models = [a_model(name) for name in ("a", "b", "c")]
    async with running(*models, devices=(a_slot(0), a_slot(1)), slow=True) as rig:
        for model in ("a", "b", "c"):
            rig.gateway.waits_for(model)
        await rig.seconds(3)
        assert rig.commands() == ["load a.1", "load b.1"]
        used = {c.device_ids for c in rig.agent.commands if isinstance(c, LoadModel)}
        assert used == {("cpu-local-0",), ("cpu-local-1",)}


async def test_a_model_in_use_is_not_unloaded_for_idleness() -> None:
    settings = some_settings(evict_after_idle_seconds=20)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=1)
        await rig.seconds(60)
        assert rig.commands() == ["load a.1"]


async def test_without_a_brain_the_rules_unload_what_nobody_uses() -> None:
    settings = some_settings(evict_after_idle_seconds=20)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=25)
        await rig.seconds(35)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_an_always_loaded_model_is_loaded_unasked_and_stays() -> None:
    settings = some_settings(evict_after_idle_seconds=5, always_loaded=("a",))
    async with running(a_model("a"), a_model("b"), settings=settings) as rig:
        rig.gateway.waits_for("b", since_s=99)
        rig.gateway.models.clear()
        await rig.seconds(3)
        rig.gateway.waits_for("b", since_s=99)
        await rig.seconds(40)
        await rig.say(ModelUnloadRequested(model="a"))
        await rig.seconds(2)
        assert rig.commands() == ["load a.1"]
        assert "always loaded" in (await rig.record("b")).reason


async def test_an_operator_can_unload_a_model() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        await rig.seconds(1)
        await rig.say(ModelUnloadRequested(model="a"))
        await rig.seconds(2)
        assert rig.commands() == ["load a.1", "unload a.1"]
        assert (await rig.record("a")).state is ModelState.UNLOADED


async def test_a_removed_model_loses_its_engine_and_is_forgotten() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        await rig.say(ModelRemoved(model="a", path="/models/a"))
        await rig.seconds(2)
        assert rig.commands() == ["load a.1", "unload a.1"]
        assert await rig.store.models.get("a") is None


async def test_a_request_from_another_system_counts_for_a_minute() -> None:
    async with running(a_model("a", state=ModelState.ANALYZING)) as rig:
        await rig.say(ModelRequested(model="a", requested_by="system"))
        await rig.seconds(59)
        record = await rig.record("a")
        unloaded = record.model_copy(update={"state": ModelState.UNLOADED})
        await rig.seconds(2)
        await rig.store.models.save(unloaded)
        await rig.bus.lose_messages()
        await rig.seconds(2)
        assert rig.commands() == []


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


async def test_a_load_sent_to_an_agent_that_went_silent_is_given_to_another_attempt() -> None:
    async with running(a_model("a")) as rig:
        rig.agent.deaf = True
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        rig.agent.silent = True
        await rig.seconds(12)
        rig.agent.silent = rig.agent.deaf = False
        await rig.seconds(3)
        assert rig.commands() == ["load a.1", "load a.2"]
        assert (await rig.record("a")).state is ModelState.LOADED


async def test_what_was_measured_is_reserved_next_time() -> None:
    async with running(a_model("a"), a_model("b")) as rig:
        rig.agent.overhead_bytes = -3 * GB // 2
        for model in ("a", "b", "a"):
            await loaded(rig, model)
        loads = [c for c in rig.agent.commands if isinstance(c, LoadModel) and c.model == "a"]
        assert [load.reserve_bytes for load in loads] == [3 * GB, int(1.5 * GB * 1.15) + GB]


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
    settings = some_settings(brain=True, evict_after_idle_seconds=5)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=9)
        await rig.seconds(20)
        assert len(ticks(rig)) == 2
        assert rig.commands() == ["load a.1"]
        await rig.seconds(11)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_while_the_brain_answers_the_rules_are_silent() -> None:
    settings = some_settings(brain=True, evict_after_idle_seconds=5)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=9)
        for _ in range(5):
            await rig.seconds(10)
            await rig.say(advice(rig, "a", DecidedAction.KEEP))
        assert rig.commands() == ["load a.1"]


async def test_a_loading_engine_is_cancelled_when_its_files_are_gone() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        assert rig.agent.engines["a.1"].state is InstanceState.LOADING
        await rig.say(ModelRemoved(model="a", path="/models/a"))
        await rig.seconds(1)
        assert rig.commands() == ["load a.1", "unload a.1"]
