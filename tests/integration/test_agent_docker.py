"""The agent and a Docker Engine that fails it: no image, no room, restarted under its engines."""

import asyncio
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest
from structlog.testing import capture_logs

from modelium.common.clock import SystemClock
from modelium.common.descriptor import RuntimeKind
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import RuntimeFailed, RuntimeLoaded
from modelium.common.records import FailureKind
from modelium.common.testing import InMemoryBus
from modelium.runtime_agent.announcing import Announcer
from modelium.runtime_agent.container_spec import ContainerSettings
from modelium.runtime_agent.containers import ContainerLauncher
from modelium.runtime_agent.drain import DrainTracker
from modelium.runtime_agent.host_paths import HostPaths
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.lanes import Lanes
from modelium.runtime_agent.launcher import LaunchFailed, LaunchSpec
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.runtime import Health
from modelium.runtime_agent.supervisor import Supervisor
from modelium.runtime_agent.tools import Tools
from tests.agent_fakes import FakeDevices, FakeRuntime
from tests.agent_kit import a_record, eventually, heard
from tests.fake_docker import FakeDocker, fake_docker


@pytest.fixture
def daemon() -> Iterator[FakeDocker]:
    with fake_docker() as running:
        yield running


@pytest.fixture
def launcher(daemon: FakeDocker, tmp_path: Path) -> Iterator[ContainerLauncher]:
    logs = tmp_path / "logs"
    settings = ContainerSettings("local", daemon.network, "2000:0", pids_limit=64, logs=logs)
    client = docker.DockerClient(base_url=daemon.url, version="1.41", timeout=10)
    yield ContainerLauncher(client, settings, HostPaths())
    client.close()


def _spec(launcher: ContainerLauncher, folder: Path, *, image: str = "engine:1") -> LaunchSpec:
    record = a_record()
    site = launcher.site(record, str(folder))
    return LaunchSpec(record=record, site=site, argv=("serve",), environment={}, image=image)


async def test_a_missing_image_is_named_with_the_remedy(
    launcher: ContainerLauncher, tmp_path: Path
) -> None:
    with pytest.raises(
        LaunchFailed, match=r"no image engine:9: build it \(deploy/images\) or pull"
    ):
        await launcher.start(_spec(launcher, tmp_path, image="engine:9"))


async def test_an_engine_whose_start_docker_did_not_confirm_is_still_known(
    daemon: FakeDocker, launcher: ContainerLauncher, tmp_path: Path
) -> None:
    # It was left running, unknown to the agent that had started it, with all its memory.
    daemon.dies_on_start = True
    engine = await launcher.start(_spec(launcher, tmp_path))
    assert (await engine.status()).running
    await engine.kill()
    assert not (await engine.status()).running


async def test_the_log_of_a_container_is_kept_when_it_is_removed(
    daemon: FakeDocker, launcher: ContainerLauncher, tmp_path: Path
) -> None:
    times = ("2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000002Z")
    daemon.log = "".join(f"{at} at {at[-2]}\n" for at in times).encode()
    engine = await launcher.start(_spec(launcher, tmp_path))
    instance = engine.record.instance_id
    await engine.kill()
    for _ in range(2):
        log = await launcher.log(instance, "", 10)
        assert log is not None and (log.lines, log.mark) == (("at 1", "at 2"), times[1])
        newer = await launcher.log(instance, times[0], 10)
        assert newer is not None and newer.lines == ("at 2",)
        await engine.forget()
    assert daemon.containers == {}
    assert await launcher.log("qwen.99", "", 10) is None


async def test_a_docker_that_is_away_says_so(
    daemon: FakeDocker, launcher: ContainerLauncher, tmp_path: Path
) -> None:
    engine = await launcher.start(_spec(launcher, tmp_path))
    daemon.stop()
    with pytest.raises(DependencyUnavailable, match="Docker Engine does not answer"):
        await engine.status()
    with pytest.raises(DependencyUnavailable, match="Docker Engine does not answer"):
        await launcher.start(_spec(launcher, tmp_path))


@dataclass
class _Agent:
    supervisor: Supervisor
    bus: InMemoryBus


@asynccontextmanager
async def _agent(launcher: ContainerLauncher, folder: Path) -> AsyncIterator[_Agent]:
    """One that has found the containers of an earlier agent; their health is always fine."""
    clock, bus, devices = SystemClock(), InMemoryBus(), FakeDevices()
    tools = Tools(
        launcher=launcher,
        runtimes={RuntimeKind.VLLM: FakeRuntime(Health.SERVING)},
        devices=devices,
        lanes=Lanes(),
        drains=DrainTracker(clock.monotonic()),
        journal=Journal(folder / "journal"),
        meter=MemoryMeter(devices, clock, 5.0),
        clock=clock,
        announce=Announcer(bus, clock),
    )
    supervisor = Supervisor(tools, agent_id="local")
    await supervisor.adopt()
    running = asyncio.ensure_future(supervisor.run())
    try:
        yield _Agent(supervisor, bus)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _has_looked(logs: list[MutableMapping[str, Any]]) -> bool:
    return any(line["event"] == "engine.unanswered" for line in logs)


async def _was_asked(daemon: FakeDocker, times: int) -> bool:
    return daemon.asked >= times


@pytest.mark.parametrize("live_restore", [False, True])
async def test_engines_live_or_die_with_docker_and_the_agent_goes_on(
    daemon: FakeDocker, launcher: ContainerLauncher, tmp_path: Path, live_restore: bool
) -> None:
    await launcher.start(_spec(launcher, tmp_path))
    async with _agent(launcher, tmp_path) as agent:
        await heard(agent.bus, RuntimeLoaded)
        with capture_logs() as logs:
            daemon.stop(live_restore=live_restore)
            await eventually(partial(_has_looked, logs), "it looks at its engine in vain")
        assert [i.instance_id for i in agent.supervisor.instances()] == ["qwen.1"]
        daemon.start()
        if live_restore:
            await eventually(partial(_was_asked, daemon, daemon.asked + 2), "it looks again")
            assert [i.instance_id for i in agent.supervisor.instances()] == ["qwen.1"]
            assert list(daemon.containers) == ["c1"]
            return
        failed = await heard(agent.bus, RuntimeFailed)
        assert isinstance(failed, RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert failed.reason == "The engine broke down (exit code 137); it last said: INFO fine"
        assert daemon.containers == {}
