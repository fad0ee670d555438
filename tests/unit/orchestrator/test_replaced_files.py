"""A model whose files are replaced in place while it serves, with the real registry."""

from typing import Any

import pytest

from modelium.common.events import (
    LoadModel,
    ModelAnalyzed,
    ModelDiscovered,
    ModelRejected,
    ModelRemoved,
)
from modelium.common.records import FailureKind, ModelState
from modelium.core.replacing import USED_LATELY_S
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, loaded, running
from tests.unit.orchestrator.scripted import GB
from tests.unit.orchestrator.test_copies import SLOTS, busy, crowded, served_by

ROOMY = (a_slot(total=8 * GB),)
FILES = {"model": "a", "path": "/models/a", "size_bytes": GB}


async def changed(rig: Rig, fingerprint: str = "f2") -> None:
    await rig.say(ModelDiscovered.model_validate(FILES | {"fingerprint": fingerprint}))


async def analysed(rig: Rig, fingerprint: str = "f2") -> None:
    found: dict[str, Any] = {"fingerprint": fingerprint, "descriptor": a_model("a").descriptor}
    await rig.say(ModelAnalyzed.model_validate(FILES | found))


async def test_new_files_are_loaded_beside_the_old_engine_which_then_goes() -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        rig.agent.slow = True
        await changed(rig)
        await rig.seconds(5)
        assert rig.commands() == ["load a.1"]
        await analysed(rig)
        await rig.seconds(5)
        assert rig.commands() == ["load a.1", "load a.2"]
        assert served_by(await rig.record("a")) == [1]
        await rig.agent.finish("a.2")
        await rig.seconds(2)
        record = await rig.record("a")
        assert (record.generation, served_by(record)) == (2, [2])
        assert rig.commands()[2:] == ["unload a.1"]
        await rig.agent.finish("a.1")
        await rig.seconds(30)
        assert rig.commands()[3:] == []
        assert (await rig.record("a")).copies == ()


async def test_rejected_files_leave_the_engine_alone() -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        await changed(rig)
        await rig.say(ModelRejected.model_validate({**FILES, "fingerprint": "f2", "reason": "no"}))
        await rig.seconds(30)
        assert rig.commands() == ["load a.1"]
        record = await rig.record("a")
        assert (record.state, record.reason.endswith("serves the old ones: no")) == (
            ModelState.LOADED,
            True,
        )


async def test_without_room_the_old_engine_goes_and_the_new_files_are_loaded_when_wanted() -> None:
    async with running(a_model("a")) as rig:
        await loaded(rig, "a")
        await rig.seconds(1)
        await changed(rig)
        await analysed(rig)
        await rig.seconds(5)
        assert rig.commands() == ["load a.1", "unload a.1"]
        await loaded(rig, "a")
        assert (await rig.record("a")).loaded_fingerprint == "f2"


async def test_of_a_model_that_nobody_uses_nothing_is_loaded() -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        rig.gateway.says("a", requests=1, idle_s=USED_LATELY_S)
        await rig.seconds(int(USED_LATELY_S))
        await changed(rig)
        await analysed(rig)
        await rig.seconds(5)
        assert rig.commands() == ["load a.1", "unload a.1"]


async def test_new_files_that_fail_to_load_are_tried_again_later_and_others_at_once() -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        rig.agent.slow = True
        await changed(rig)
        await analysed(rig)
        await rig.seconds(2)
        await rig.agent.fail("a.2", FailureKind.CRASHED)
        busy(rig, 1)
        await rig.seconds(290)
        assert rig.commands() == ["load a.1", "load a.2"]
        assert (await rig.record("a")).state is ModelState.LOADED
        await rig.seconds(20)
        assert rig.commands()[2:] == ["load a.3"]
        await rig.agent.fail("a.3", FailureKind.CRASHED)
        await changed(rig, "f3")
        await analysed(rig, "f3")
        await rig.seconds(3)
        assert rig.commands()[3:] == ["load a.4"]


async def test_files_that_change_again_meanwhile_are_loaded_in_the_end() -> None:
    async with running(a_model("a"), devices=(a_slot(total=10 * GB),)) as rig:
        await loaded(rig, "a")
        rig.agent.slow = True
        await changed(rig)
        await analysed(rig)
        await rig.seconds(2)
        await changed(rig, "f3")
        await rig.agent.finish("a.2")
        await rig.seconds(2)
        assert rig.commands()[1:] == ["load a.2", "unload a.2"]
        assert (await rig.record("a")).generation == 1
        rig.agent.slow = False
        await rig.agent.finish("a.2")
        await analysed(rig, "f3")
        await rig.seconds(5)
        assert rig.commands()[3:] == ["load a.3", "unload a.1"]
        loads = [c for c in rig.agent.commands if isinstance(c, LoadModel)]
        assert [load.fingerprint for load in loads] == ["f1", "f2", "f3"]


@pytest.mark.parametrize("is_loaded", [False, True])
async def test_the_next_leader_goes_on_with_it(is_loaded: bool) -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        rig.agent.slow = True
        await changed(rig)
        await analysed(rig)
        await rig.kill()
        if is_loaded:
            await rig.agent.finish("a.2")
        rig.agent.slow = False
        rig.start()
        await rig.seconds(5)
        if not is_loaded:
            await rig.agent.finish("a.2")
        await rig.seconds(5)
        record = await rig.record("a")
        assert (record.generation, served_by(record), record.copies) == (2, [2], ())
        assert rig.commands() == ["load a.1", "load a.2", "unload a.1"]


async def test_engines_beside_the_first_serve_old_files_no_longer_either() -> None:
    async with crowded() as rig:
        assert len(SLOTS) == 2
        await changed(rig)
        await analysed(rig)
        await rig.seconds(20)
        told = rig.commands()[2:]
        # There is no room for a third: one of both makes it, the other serves meanwhile.
        assert told[:3] == ["unload a.2", "load a.3", "unload a.1"]
        record = await rig.record("a")
        assert {record.loaded_fingerprint, *(c.fingerprint for c in record.copies)} == {"f2"}


async def test_a_model_that_is_removed_meanwhile_goes_with_both() -> None:
    async with running(a_model("a"), devices=ROOMY) as rig:
        await loaded(rig, "a")
        rig.agent.slow = True
        await changed(rig)
        await analysed(rig)
        await rig.seconds(2)
        await rig.say(ModelRemoved(model="a", path="/models/a"))
        await rig.seconds(3)
        await rig.agent.finish("a.2")
        await rig.seconds(3)
        assert rig.commands()[2:] == ["unload a.2", "unload a.1"]
