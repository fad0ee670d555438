"""The watch loop and the handler together, on real folders, with a clock moved by hand."""

import asyncio
import json
import shutil
from pathlib import Path

from modelium.common import events as ev
from modelium.common.errors import DependencyUnavailable
from modelium.common.records import ModelRecord, ModelState
from modelium.common.testing import FakeClock, a_model_record
from modelium.watcher.listing import Candidate
from modelium.watcher.scan import Verdict

from . import models
from .system import ANALYSED, System


async def test_a_model_is_announced_and_analysed_once_it_has_settled(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.4)
    assert system.said == []
    await system.look_at(0.5)
    assert system.said == ANALYSED
    discovered, _, analyzed = system.bus.published
    assert isinstance(discovered, ev.ModelDiscovered)
    assert isinstance(analyzed, ev.ModelAnalyzed)
    assert (discovered.model, discovered.path) == ("qwen", str(system.root / "qwen"))
    assert analyzed.fingerprint == discovered.fingerprint != ""
    assert analyzed.size_bytes == discovered.size_bytes > 0
    assert analyzed.descriptor.architecture == "Qwen2ForCausalLM"


async def test_what_the_store_knows_is_not_announced_again(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    await system.look_at(10, 20, 30)
    assert system.said == ANALYSED


async def test_after_the_store_was_lost_the_same_files_are_heard_again(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    await system.store.models.delete("qwen")
    await system.look_at(20)
    assert system.said == ANALYSED * 2
    first, again = system.bus.of(ev.ModelDiscovered)
    assert first.message_id != again.message_id


async def test_what_was_long_unanswered_is_heard_soon_when_the_store_loses_it_later(
    system: System,
) -> None:
    """The long pause between repeats went on, and a model was away for up to a minute."""
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5, 11, 32, 73)
    assert len(system.bus.of(ev.ModelDiscovered)) == 4
    await system.know(system.bus.published[0])
    await system.look_at(79)
    await system.store.models.delete("qwen")
    await system.look_at(85)
    assert len(system.bus.of(ev.ModelDiscovered)) == 5


async def test_a_restarted_watcher_says_the_same_under_the_same_id(
    system: System, tmp_path: Path
) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    restarted = System(system.root, FakeClock())
    await restarted.start()
    await restarted.look_at(0, 0.5)
    assert system.bus.published[0].message_id == restarted.bus.published[0].message_id


async def test_a_growing_model_waits(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    for step in range(8):
        (folder / "tokenizer.json").write_text(" " * step)
        await system.look_at(step * 0.4)
    assert system.said == []


async def test_an_incomplete_model_waits_and_is_rejected_when_nothing_comes(
    system: System,
) -> None:
    models.write_sharded_model(system.root / "qwen", without="model-00001-of-00002.safetensors")
    await system.look_at(0, 0.5, 5, 9.9)
    assert system.said == []
    await system.look_at(10)
    rejected = system.bus.published[-1]
    assert isinstance(rejected, ev.ModelRejected)
    assert "model-00001-of-00002.safetensors is missing" in rejected.reason


async def test_a_rejected_model_is_looked_at_again_when_its_files_change(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    (folder / "config.json").write_text("{}")
    await system.look_at(0, 0.5)
    assert system.said[-1] == "model.rejected"
    await system.know(system.bus.published[0], state=ModelState.REJECTED)
    (folder / "config.json").write_text(json.dumps(models.CONFIG))
    await system.look_at(1, 1.5)
    assert system.said[-1] == "model.analyzed"


async def test_a_removed_folder_is_announced_once(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    shutil.rmtree(system.root / "qwen")
    await system.look_at(1, 1.4)
    assert system.said == ANALYSED
    await system.look_at(1.6, 1.7, 6)
    assert system.said == [*ANALYSED, "model.removed"]


async def test_a_folder_removed_while_the_watcher_was_away_is_announced(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    system = System(tmp_path / "models", FakeClock())
    await system.start(a_model_record(path=str(system.root / "qwen")))
    await system.look_at(0)
    assert system.said == ["model.removed"]


async def test_an_unmounted_watch_directory_removes_nothing(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    system.root.rename(system.root.with_name("unmounted"))
    await system.look_at(10, 20)
    assert system.said == ANALYSED


async def test_a_missing_watch_directory_is_made_but_removes_nothing(tmp_path: Path) -> None:
    system = System(tmp_path / "models", FakeClock())
    await system.start(a_model_record(path=str(system.root / "qwen")))
    await system.look_at(0, 10)
    assert system.root.is_dir()
    assert system.said == []


async def test_a_replaced_folder_is_announced_with_its_new_files(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    (folder / "model.safetensors").write_bytes(models.safetensors({"embed": ("F32", (10, 64))}))
    await system.look_at(1, 1.5)
    assert system.said == ANALYSED * 2
    assert len({m.fingerprint for m in system.bus.of(ev.ModelDiscovered)}) == 2


async def test_a_discovery_lost_on_its_way_to_analysis_is_repeated(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0], state=ModelState.DISCOVERED, descriptor=None)
    await system.look_at(11)
    assert system.said == ANALYSED * 2


async def test_a_renamed_folder_is_removed_and_discovered(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0])
    folder.rename(system.root / "other")
    await system.look_at(1, 1.6)
    assert sorted(system.said[3:]) == sorted([*ANALYSED, "model.removed"])
    assert [it.model for it in system.bus.of(ev.ModelRemoved)] == ["qwen"]
    assert [it.model for it in system.bus.of(ev.ModelDiscovered)] == ["qwen", "other"]


async def test_a_new_folder_says_nothing_of_those_that_are_there(system: System) -> None:
    models.write_model(system.root / "qwen")
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0], state=ModelState.LOADED)
    models.write_model(system.root / "other")
    await system.look_at(1, 1.5, 11, 21)
    about = [message.model for message in system.bus.published[3:] if hasattr(message, "model")]
    assert set(about) == {"other"}


async def test_incomplete_files_over_those_of_a_running_model_are_waited_for(
    system: System,
) -> None:
    folder = models.write_model(system.root / "qwen")
    whole = (folder / "model.safetensors").read_bytes()
    await system.look_at(0, 0.5)
    await system.know(system.bus.published[0], state=ModelState.LOADED)
    (folder / "model.safetensors").write_bytes(whole[:-9])
    await system.look_at(1, 2, 12, 22)
    assert system.said == ANALYSED
    (folder / "model.safetensors").write_bytes(whole + b"")
    await system.look_at(23, 23.5)
    assert system.said == ANALYSED * 2


async def test_weights_that_look_unwritten_wait_longer_and_are_then_taken(system: System) -> None:
    folder = models.write_model(system.root / "qwen")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-256] + bytes(256))
    await system.look_at(0, 0.5, 10, 59)
    assert system.said == []
    await system.look_at(60)
    assert system.said == ANALYSED


async def test_the_second_folder_of_a_name_is_rejected_until_the_first_is_gone(
    system: System, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    first = models.write_model(system.root / "qwen")
    second = models.write_model(more / "qwen")
    system = await System(system.root, FakeClock(), more).start()
    await system.look_at(0, 0.5)
    (rejected,) = system.bus.of(ev.ModelRejected)
    assert (rejected.model, rejected.path) == ("qwen-2", str(second))
    assert rejected.reason == (
        f"the name qwen belongs to {first}: rename {second}, or remove the other, to have it served"
    )
    for found in system.bus.of(ev.ModelDiscovered):
        refused = {"state": ModelState.REJECTED, "reason": rejected.reason, "descriptor": None}
        await system.know(found, **(refused if found.name_taken_by else {}))
    await system.look_at(20)
    assert len(system.bus.published) == 5
    shutil.rmtree(first)
    await system.look_at(21, 21.6)
    await system.store.models.delete("qwen")
    await system.look_at(27)
    assert [it.model for it in system.bus.of(ev.ModelRemoved)] == ["qwen", "qwen-2"]
    last = system.bus.of(ev.ModelAnalyzed)[-1]
    assert (last.model, last.path) == ("qwen", str(second))


async def test_unchanged_files_are_not_read_again(system: System) -> None:
    models.write_model(system.root / "qwen")
    cut = models.write_model(system.root / "cut")
    (cut / "model.safetensors").write_bytes(b"cut")
    read: list[str] = []
    inspect = system.folders.inspect

    async def counted(candidate: Candidate, before: Verdict | None = None) -> Verdict:
        read.append(Path(candidate.path).name)
        return await inspect(candidate, before)

    system.folders.inspect = counted
    for time_s in (0, 0.5, *range(1, 60)):
        await system.clock.advance(time_s - system.clock.monotonic())
        await system.watch.look()
    assert read.count("qwen") == 1
    assert read.count("cut") <= 3


class Away:
    """A store that cannot be reached for the first `times` calls."""

    def __init__(self, models_: object, times: int) -> None:
        self._models = models_
        self.times = times

    async def all(self) -> list[ModelRecord]:
        if self.times:
            self.times -= 1
            raise DependencyUnavailable("Redis is away", "Start it")
        return await self._models.all()


async def test_the_loop_goes_on_while_the_store_is_away_and_wakes_for_changes(
    system: System,
) -> None:
    models.write_model(system.root / "qwen")
    system.store.models = Away(system.store.models, 1)
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(system.watch.run())
        await system.clock.until_sleeping()
        system.watch.wake()
        while not system.said:
            await system.clock.advance(0.1)
            await asyncio.to_thread(lambda: None)
        loop.cancel()
    assert system.said == ["model.discovered"]


async def test_a_rejected_model_is_not_analysed_again_until_its_files_change(
    system: System,
) -> None:
    folder = models.write_model(system.root / "evil", config={"auto_map": {"A": "m.M"}})
    await system.look_at(0, 0.5)
    [rejected] = system.bus.of(ev.ModelRejected)
    assert "asks to run code of its own" in rejected.reason
    await system.know(system.bus.published[0], state=ModelState.REJECTED)
    await system.look_at(6, 12, 60, 3600)
    assert len(system.bus.of(ev.ModelAnalyzing)) == 1
    models.write_model(folder)
    await system.look_at(3601, 3602)
    assert len(system.bus.of(ev.ModelAnalyzing)) == 2
    assert len(system.bus.of(ev.ModelAnalyzed)) == 1
