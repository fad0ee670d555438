"""What the orchestrator does when things are wanted."""

from structlog.testing import capture_logs

from modelium.common.events import (
    LoadModel,
    ModelRemoved,
    ModelRequested,
    ModelUnloadRequested,
)
from modelium.common.records import FailureKind, InstanceState, ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB


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
    settings = some_settings(evict_after_idle_seconds=20, evict_idle_always=True)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", in_flight=1)
        await rig.seconds(60)
        assert rig.commands() == ["load a.1"]


async def test_without_a_brain_the_rules_unload_what_nobody_uses() -> None:
    settings = some_settings(evict_after_idle_seconds=20, evict_idle_always=True)
    async with running(a_model("a"), settings=settings) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=25)
        await rig.seconds(35)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_an_always_loaded_model_is_loaded_unasked_and_stays() -> None:
    settings = some_settings(
        evict_after_idle_seconds=5, evict_idle_always=True, always_loaded=("a",)
    )
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


async def test_a_name_in_always_loaded_that_is_no_models_is_told_once() -> None:
    settings = some_settings(always_loaded=("a", "misspelt"))
    with capture_logs() as logs:
        async with running(a_model("a"), settings=settings) as rig:
            await rig.seconds(100)
    told = [entry["models"] for entry in logs if entry["event"] == "always_loaded.no_such_model"]
    assert told == [["misspelt"]]


async def test_a_model_that_fits_no_device_is_refused_until_there_is_one() -> None:
    async with running(a_model("big"), devices=(a_slot(total=2 * GB),)) as rig:
        rig.gateway.waits_for("big")
        await rig.seconds(2)
        record = await rig.record("big")
        assert record.refused
        assert "the largest device" in record.reason
        rig.agent.devices = (a_slot(), a_slot(1))
        await rig.seconds(2)
        record = await rig.record("big")
        assert (record.state, record.refused) == (ModelState.LOADED, False)


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


async def test_what_was_measured_is_reserved_next_time() -> None:
    async with running(a_model("a"), a_model("b", fingerprint="f2")) as rig:
        rig.agent.overhead_bytes = -GB // 2
        for model in ("a", "b", "a"):
            await loaded(rig, model)
        # 1.5 GB were held beside the cache of a GB, half of that beside the weights.
        again = int(1.5 * GB + 0.5 * GB * 0.15) + GB
        assert reserved(rig, "a") == [3 * GB, again]
        # Another model is given what the engine took beside the weights of the first.
        assert reserved(rig, "b") == [again]


async def test_what_was_measured_is_reserved_after_a_restart_too() -> None:
    async with running(a_model("a"), a_model("b", fingerprint="f2")) as rig:
        rig.agent.overhead_bytes = -GB // 2
        await loaded(rig, "a")
        await rig.kill()
        rig.start()
        await rig.seconds(2)
        rig.agent.overhead_bytes = 0
        for model in ("b", "a"):
            await loaded(rig, model)
        assert reserved(rig, "a") == [3 * GB, int(1.5 * GB + 0.5 * GB * 0.15) + GB]


async def test_a_load_that_ran_out_of_memory_is_tried_with_less_cache_then_with_more_memory() -> (
    None
):
    devices = (a_slot(total=8 * GB),)
    async with running(a_model("a"), a_model("b", fingerprint="f2"), devices=devices) as rig:
        await loaded(rig, "b")
        rig.agent.slow = True
        rig.gateway.waits_for("a")
        for attempt in (1, 2):
            await rig.seconds(2)
            await rig.agent.fail(f"a.{attempt}", FailureKind.OUT_OF_MEMORY)
        await rig.seconds(2)
        # There is no room for what it needs now beside b, which has to go.
        assert rig.commands()[-2:] == ["load a.2", "unload b.1"]
        await rig.agent.finish("b.1")
        await rig.seconds(2)
        # A GB of weights, a GB of cache, and one beside them; then a quarter of the cache, and
        # with it 1.75 GB beside the weights, which were too little and are doubled.
        assert reserved(rig, "a") == [3 * GB, 3 * GB, int(5.5 * GB)]
        assert caches(rig, "a") == [GB, GB // 4, GB // 4]


async def test_no_load_follows_at_once_when_neither_helped() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        for attempt in (1, 2, 3):
            await rig.seconds(2)
            await rig.agent.fail(f"a.{attempt}", FailureKind.OUT_OF_MEMORY)
        await rig.seconds(30)
        assert rig.commands() == ["load a.1", "load a.2", "load a.3"]
        assert (await rig.record("a")).reason == "as the test says; no new attempt for 40 s"
        await rig.seconds(15)
        assert rig.commands()[-1] == "load a.4"


def caches(rig: Rig, model: str) -> list[int]:
    loads = [c for c in rig.agent.commands if isinstance(c, LoadModel) and c.model == model]
    return [load.kv_cache_bytes for load in loads]


def reserved(rig: Rig, model: str) -> list[int]:
    loads = [c for c in rig.agent.commands if isinstance(c, LoadModel) and c.model == model]
    return [load.reserve_bytes for load in loads]


async def test_a_loading_engine_is_cancelled_when_its_files_are_gone() -> None:
    async with running(a_model("a"), slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(2)
        assert rig.agent.engines["a.1"].state is InstanceState.LOADING
        await rig.say(ModelRemoved(model="a", path="/models/a"))
        await rig.seconds(1)
        assert rig.commands() == ["load a.1", "unload a.1"]
