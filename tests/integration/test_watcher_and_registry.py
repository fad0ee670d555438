"""Watcher and registry as processes, on real NATS and Redis: from a folder to a record and back."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats as nats_client
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common import events as ev
from modelium.common.clock import SystemClock
from modelium.common.descriptor import Overrides
from modelium.common.nats_bus import NatsBus
from modelium.common.records import InstanceState, ModelRecord, ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.testing import a_device, an_instance_record
from tests.system import System, stub_python
from tests.unit.watcher.formats.files import write_gguf

WAIT_S = 20.0
CLOCK = SystemClock()


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """Its settings of `model_discovery` may be the fixture's parameter."""
    folder = tmp_path / "system"
    folder.mkdir()
    discovery = getattr(request, "param", {})
    settings = {"orchestration": {"model_discovery": discovery}}
    system = System(folder, engine_python=stub_python(folder), settings=settings)
    try:
        system.start("nats", "redis", "registry", "watcher")
        yield system
    finally:
        for child in system.children.values():
            child.kill()
            child.wait(10)


class Outside:
    """What another system sees and can do."""

    def __init__(self, system: System) -> None:
        self._nats_url = f"nats://127.0.0.1:{system.ports['nats']}"
        self.bus = NatsBus(self._nats_url, source="test")
        self.store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
        self.heard: list[tuple[str, ev.Message]] = []

    async def hear(self, event: ev.Message) -> None:
        self.heard.append((event.subject, event))

    async def publish_raw(self, subject: str, payload: bytes) -> None:
        """As `nats pub` does, without any header."""
        client = await nats_client.connect(self._nats_url)
        await client.publish(subject, payload)
        await client.close()

    async def until(
        self, wanted: Callable[[ModelRecord | None], bool], model: str = "qwen"
    ) -> None:
        """Wait until the model's record is as wanted."""
        async with asyncio.timeout(WAIT_S):
            while not wanted(await self.store.models.get(model)):
                await CLOCK.sleep(0.02)

    async def told_that_it_is_forgotten(self) -> None:
        """The registry announces it after it has changed the store."""
        async with asyncio.timeout(WAIT_S):
            while not any(
                isinstance(event, ev.ModelStateChanged) and event.record is None
                for _, event in self.heard
            ):
                await CLOCK.sleep(0.02)

    async def is_(self, state: ModelState, model: str = "qwen") -> ModelRecord:
        """The record, once it is in this state."""
        await self.until(lambda record: record is not None and record.state == state, model)
        record = await self.store.models.get(model)
        assert record is not None
        return record


@asynccontextmanager
async def outside(system: System) -> AsyncIterator[Outside]:
    seen = Outside(system)
    kinds = [kind for kind in ev.MESSAGES if kind.subject.startswith("model.")]
    await seen.bus.open(timeout_s=10)
    standing = asyncio.Event()

    async def stands() -> None:
        standing.set()

    async with asyncio.TaskGroup() as tasks:
        following = seen.bus.follow(dict.fromkeys(kinds, seen.hear), on_gap=stands)
        follower = tasks.create_task(following)
        await asyncio.wait_for(standing.wait(), WAIT_S)
        yield seen
        follower.cancel()
    await seen.bus.close()
    await seen.store.close()


def copied(system: System, name: str = "qwen", *, seed: int = 0) -> Path:
    """A complete model that was copied into the watch directory as a user would."""
    source = write_sample_model(system.folder / f"source-{name}-{seed}", seed=seed)
    shutil.copytree(source, system.models / name)
    return system.models / name


async def test_a_copied_folder_becomes_a_model_and_its_removal_forgets_it(system: System) -> None:
    async with outside(system) as other:
        folder = copied(system)
        record = await other.is_(ModelState.UNLOADED)
        assert (record.path, record.reason) == (str(folder), "not requested yet")
        assert record.descriptor is not None
        assert record.descriptor.architecture == "Qwen2ForCausalLM"
        assert [s for s, _ in other.heard if s != "model.state_changed"] == [
            "model.discovered",
            "model.analyzing",
            "model.analyzed",
        ]
        shutil.rmtree(folder)
        await other.until(lambda record: record is None)
        await other.told_that_it_is_forgotten()


async def test_another_system_names_a_path_without_any_header(system: System) -> None:
    async with outside(system) as other:
        elsewhere = write_sample_model(system.folder / "elsewhere" / "qwen")
        payload = json.dumps({"path": str(elsewhere), "colour": "unknown fields do no harm"})
        await other.publish_raw("model.discovered", payload.encode())
        assert (await other.is_(ModelState.UNLOADED)).path == str(elsewhere)


async def test_a_lost_redis_is_healed_by_the_folder_and_the_heartbeats(system: System) -> None:
    async with outside(system) as other:
        copied(system)
        await other.is_(ModelState.UNLOADED)
        system.kill("redis")
        shutil.rmtree(system.folder / "redis")
        system.start("redis")
        await other.is_(ModelState.UNLOADED)
        engine = an_instance_record(generation=3, instance_id="qwen.3")
        assert engine.state is InstanceState.LOADED
        async with asyncio.timeout(WAIT_S):
            while not await other.store.instances.get("qwen.3"):
                beat = ev.AgentHeartbeat(
                    agent_id="local",
                    launcher="process",
                    devices=(a_device(),),
                    instances=(engine,),
                )
                await other.bus.publish(beat)
                await CLOCK.sleep(0.1)
        record = await other.is_(ModelState.LOADED)
        assert (record.generation, record.endpoint) == (3, engine.endpoint)


async def test_a_bus_that_came_back_empty_is_used_again(system: System) -> None:
    async with outside(system) as other:
        copied(system)
        await other.is_(ModelState.UNLOADED)
        system.kill("nats")
        shutil.rmtree(system.folder / "nats")
        system.start("nats")
        copied(system, "llama", seed=1)
        await other.is_(ModelState.UNLOADED, "llama")


@pytest.mark.parametrize("victim", ["registry", "watcher"])
async def test_what_happens_while_a_service_is_killed_is_not_lost(
    system: System, victim: str
) -> None:
    async with outside(system) as other:
        first = copied(system)
        await other.is_(ModelState.UNLOADED)
        system.kill(victim)
        copied(system, "llama", seed=1)
        shutil.rmtree(first)
        system.start(victim)
        await other.is_(ModelState.UNLOADED, "llama")
        await other.until(lambda record: record is None)


async def test_an_analysis_that_was_in_hand_as_the_watcher_was_killed_is_done_again(
    system: System,
) -> None:
    """By the bus: no look sees what lies outside of the watch directories."""
    async with outside(system) as other:
        elsewhere = [write_sample_model(system.folder / "m" / f"m{i}", seed=i) for i in range(6)]
        for path in elsewhere:
            await other.bus.publish(ev.ModelDiscovered(path=str(path)))
        async with asyncio.timeout(WAIT_S):
            while not any(isinstance(event, ev.ModelAnalyzing) for _, event in other.heard):
                await CLOCK.sleep(0.005)
        system.kill("watcher")
        assert sum(isinstance(event, ev.ModelAnalyzed) for _, event in other.heard) < len(elsewhere)
        system.start("watcher")
        for path in elsewhere:
            await other.is_(ModelState.UNLOADED, path.name)


@pytest.mark.parametrize("system", [{"doubtful_after_seconds": 1}], indirect=True)
async def test_what_is_said_beside_a_model_and_what_is_not_served_is_kept(system: System) -> None:
    source = write_sample_model(system.folder / "source")
    (source / "model.yaml").write_text("name: tiny\nalias: [small]\npin: true\ncontext: 64\n")
    async with outside(system) as seen:
        shutil.copytree(source, system.models / "qwen")
        write_gguf(system.models / "llama.gguf")
        record = await seen.is_(ModelState.UNLOADED, "tiny")
        about = record.descriptor
        assert about is not None
        assert about.overrides == Overrides(name="tiny", aliases=("small",), pin=True, context=64)
        assert about.weight_bytes_by_dtype
        assert about.content_fingerprint
        async with asyncio.timeout(WAIT_S):
            while (refused := await rejected(seen)) is None:
                await CLOCK.sleep(0.02)
        assert refused.descriptor is not None
        assert refused.descriptor.format == "gguf"
        assert "llama.cpp" in refused.reason


async def rejected(seen: Outside) -> ModelRecord | None:
    found = [it for it in await seen.store.models.all() if it.state is ModelState.REJECTED]
    return found[0] if found else None


@pytest.mark.parametrize(
    "system", [{"file_events": False, "scan_interval_seconds": 0.5}], indirect=True
)
async def test_without_file_events_the_scan_finds_what_comes_changes_and_goes(
    system: System,
) -> None:
    async with outside(system) as other:
        folder = copied(system)
        first = await other.is_(ModelState.UNLOADED)
        replaced = write_sample_model(system.folder / "replaced", seed=2)
        shutil.copy(replaced / "model.safetensors", folder / "model.safetensors")
        await other.until(
            lambda record: (
                record is not None
                and record.fingerprint != first.fingerprint
                and record.state == ModelState.UNLOADED
            )
        )
        folder.rename(folder.with_name("renamed"))
        await other.is_(ModelState.UNLOADED, "renamed")
        await other.until(lambda record: record is None)


async def test_the_second_of_a_name_is_rejected_and_taken_when_the_first_is_gone(
    system: System,
) -> None:
    async with outside(system) as other:
        first = copied(system)
        await other.is_(ModelState.UNLOADED)
        second = system.models / "qwen.onnx"
        second.symlink_to(first)
        refused = await other.is_(ModelState.REJECTED, "qwen-2")
        assert str(first) in refused.reason
        assert str(second) in refused.reason
        second.unlink()
        first.rename(second)
        await other.until(lambda record: record is not None and record.path == str(second))
        await other.is_(ModelState.UNLOADED)
        await other.until(lambda record: record is None, "qwen-2")
