"""Several engines of one model: they come with the crowd, go with the calm, outlive each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelium.common.descriptor import Overrides
from modelium.common.events import LoadModel, ModelUnloadRequested
from modelium.common.records import FailureKind, ModelRecord, ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running, some_settings
from tests.unit.orchestrator.scripted import GB
from tests.unit.orchestrator.test_applied_policies import apply

SLOTS = (a_slot(0), a_slot(1))
POLICIES = {
    "max_engines_per_model": 2,
    "copy_above_requests": 4,
    "copy_after_seconds": 5,
    "drop_copy_after_seconds": 10,
    "min_residency_seconds": 1,
}


def busy(rig: Rig, *generations: int, each: int = 6) -> None:
    """So many requests at each of these engines."""
    serving = dict.fromkeys(generations, each)
    count = each * len(generations)
    rig.gateway.says(
        "a", requests=1, idle_s=0, in_flight=count, in_flight_generations=serving,
        routed_generations=generations,
    )  # fmt: skip


@asynccontextmanager
async def crowded(*models: ModelRecord, **policies: Any) -> AsyncIterator[Rig]:
    """The model `a` with all the engines it may have, on a host with two devices for one each."""
    settings = some_settings(**POLICIES | policies)
    async with running(a_model("a"), *models, devices=SLOTS, settings=settings) as rig:
        await loaded(rig, "a")
        busy(rig, 1)
        await rig.seconds(12)
        assert rig.commands() == ["load a.1", "load a.2"]
        yield rig


def served_by(record: ModelRecord) -> list[int]:
    return [endpoint.generation for endpoint in record.endpoints]


@asynccontextmanager
async def second_on_its_way() -> AsyncIterator[Rig]:
    """Model a is crowded and served by one engine; the load of another has begun, and goes on."""
    settings = some_settings(**POLICIES)
    async with running(a_model("a"), devices=SLOTS, settings=settings, slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        await rig.agent.finish("a.1")
        busy(rig, 1)
        await rig.seconds(12)
        yield rig


async def test_a_crowd_brings_a_second_engine_and_the_calm_takes_it_away() -> None:
    async with crowded() as rig:
        record = await rig.record("a")
        assert (record.state, served_by(record)) == (ModelState.LOADED, [1, 2])
        first, second = (c for c in rig.agent.commands if isinstance(c, LoadModel))
        assert (first.is_copy, second.is_copy) == (False, True)
        assert first.device_ids != second.device_ids
        busy(rig, 1, 2, each=5)
        await rig.seconds(30)
        busy(rig, 1, each=1)
        await rig.seconds(9)
        assert served_by(await rig.record("a")) == [1, 2]
        await rig.seconds(12)
        assert rig.commands()[2:] == ["unload a.2"]
        record = await rig.record("a")
        assert (record.state, served_by(record), record.copies) == (ModelState.LOADED, [1], ())


async def test_without_being_allowed_to_a_model_gets_no_second_engine() -> None:
    async with running(a_model("a"), devices=SLOTS) as rig:
        await loaded(rig, "a")
        busy(rig, 1, each=300)
        await rig.seconds(60)
        assert rig.commands() == ["load a.1"]


async def test_a_copy_makes_room_for_whoever_waits_though_it_is_in_use() -> None:
    async with crowded(a_model("b")) as rig:
        busy(rig, 1, 2)
        rig.gateway.waits_for("b")
        await rig.seconds(3)
        assert rig.commands()[2:] == ["unload a.2", "load b.1"]
        assert served_by(await rig.record("a")) == [1]
        rig.gateway.says("b", requests=1, idle_s=0)
        busy(rig, 1)
        await rig.seconds(30)
        assert rig.commands()[4:] == []  # for a copy nobody gives way


async def test_one_that_crashes_leaves_the_model_to_the_other() -> None:
    async with crowded() as rig:
        await rig.agent.fail("a.1", FailureKind.CRASHED)
        busy(rig, 2, each=1)
        await rig.seconds(3)
        record = await rig.record("a")
        assert (record.state, served_by(record)) == (ModelState.LOADED, [2])
        busy(rig, 2)
        await rig.seconds(10)
        assert rig.commands()[2:] == ["load a.3"]
        assert served_by(await rig.record("a")) == [2, 3]


async def test_one_that_cannot_be_loaded_is_not_tried_again_at_once() -> None:
    async with second_on_its_way() as rig:
        await rig.agent.fail("a.2", FailureKind.START_FAILED)
        await rig.seconds(60)
        assert rig.commands() == ["load a.1", "load a.2"]
        record = await rig.record("a")
        assert (record.state, record.failures) == (ModelState.LOADED, 0)
        await rig.clock.advance(300)
        await rig.seconds(10)
        assert rig.commands()[2:] == ["load a.3"]


async def test_a_load_beside_one_that_crashes_meanwhile_is_the_models_load() -> None:
    async with second_on_its_way() as rig:
        await rig.agent.fail("a.1", FailureKind.CRASHED)
        rig.gateway.waits_for("a")
        await rig.seconds(20)
        assert rig.commands() == ["load a.1", "load a.2"]
        await rig.agent.finish("a.2")
        await rig.seconds(1)
        assert served_by(await rig.record("a")) == [2]


async def test_an_operator_unloads_all_of_them() -> None:
    async with crowded() as rig:
        rig.gateway.says("a", requests=20, idle_s=0)
        await rig.say(ModelUnloadRequested(model="a", occurred_at=rig.clock.now()))
        await rig.seconds(5)
        assert sorted(rig.commands()[2:]) == ["unload a.1", "unload a.2"]
        record = await rig.record("a")
        assert (record.state, record.copies) == (ModelState.UNLOADED, ())


async def test_a_lower_maximum_counts_at_once() -> None:
    async with crowded() as rig:
        busy(rig, 1, 2)
        await apply(rig, **POLICIES | {"max_engines_per_model": 1})
        await rig.seconds(3)
        assert rig.commands()[2:] == ["unload a.2"]
        await rig.seconds(30)
        assert served_by(await rig.record("a")) == [1]


async def test_an_orchestrator_that_takes_over_knows_all_engines() -> None:
    async with crowded() as rig:
        busy(rig, 1, 2)
        await rig.kill()
        rig.start()
        await rig.seconds(80)
        assert rig.commands()[2:] == []
        busy(rig, 1, each=0)
        await rig.seconds(30)
        assert rig.commands()[2:] == ["unload a.2"]


async def test_a_load_on_its_way_is_known_to_whoever_takes_over() -> None:
    async with second_on_its_way() as rig:
        await rig.kill()
        rig.start()
        await rig.seconds(20)
        assert rig.commands() == ["load a.1", "load a.2"]
        await rig.agent.finish("a.2")
        await rig.seconds(1)
        assert served_by(await rig.record("a")) == [1, 2]


async def test_all_engines_count_for_what_is_free() -> None:
    async with crowded(a_model("b")) as rig:
        busy(rig, 1, 2)
        held = {i.device_ids: i.reserved_bytes // GB for i in rig.agent.engines.values()}
        assert held == {("cpu-local-0",): 3, ("cpu-local-1",): 3}
        rig.agent.slow = True
        rig.gateway.waits_for("b")
        await rig.seconds(5)
        assert rig.commands()[2:] == ["unload a.2"]
        await rig.agent.finish("a.2")
        await rig.seconds(1)
        assert rig.commands()[3:] == ["load b.1"]


async def test_a_load_of_a_copy_is_given_up_for_whoever_waits() -> None:
    settings = some_settings(**POLICIES)
    models = (a_model("a"), a_model("b"))
    async with running(*models, devices=SLOTS, settings=settings, slow=True) as rig:
        rig.gateway.waits_for("a")
        await rig.seconds(1)
        await rig.agent.finish("a.1")
        busy(rig, 1)
        await rig.seconds(12)
        rig.gateway.waits_for("b")
        await rig.seconds(1)
        assert rig.commands() == ["load a.1", "load a.2", "unload a.2"]
        await rig.agent.finish("a.2")
        await rig.seconds(1)
        assert rig.commands()[3:] == ["load b.1"]
        assert (await rig.record("a")).copy_retry_at is None


@pytest.mark.parametrize(
    ("replicas", "allowed", "commands"),
    [
        (None, 2, ["load a.1", "load a.2"]),
        (1, 2, ["load a.1"]),
        (1_000_000_000, 2, ["load a.1", "load a.2"]),
        (2, 1, ["load a.1"]),
    ],
)
async def test_what_is_written_beside_a_models_files_stays_within_the_policy(
    replicas: int | None, allowed: int, commands: list[str]
) -> None:
    model = a_model("a")
    assert model.descriptor is not None
    overrides = Overrides(replicas=replicas)
    descriptor = model.descriptor.model_copy(update={"overrides": overrides})
    settings = some_settings(**POLICIES | {"max_engines_per_model": allowed})
    models = (model.model_copy(update={"descriptor": descriptor}),)
    async with running(*models, devices=SLOTS, settings=settings) as rig:
        await loaded(rig, "a")
        busy(rig, 1)
        await rig.seconds(12)
        assert rig.commands() == commands
