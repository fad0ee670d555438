"""What only containers can promise: confinement, and clear words when Docker refuses."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from modelium.common.errors import DependencyUnavailable
from modelium.common.records import DeviceKind
from modelium.runtime_agent.container_spec import container_name
from modelium.runtime_agent.containers import connect
from modelium.runtime_agent.launcher import LaunchFailed
from tests.agent_kit import MIB, eventually
from tests.contract import launchers as programs
from tests.contract.launchers import ContainerBench, container_bench

pytestmark = pytest.mark.docker

LOOKS_AROUND = """
import json, os, pathlib

def writable(folder):
    try:
        pathlib.Path(folder, 'probe').write_text('x')
        return True
    except OSError:
        return False

def number(*paths):
    for path in paths:
        if os.path.exists(path):
            return int(open(path).read())

status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
stat = os.statvfs('/dev/shm')
print('started' + json.dumps({
    'uid': os.getuid(), 'gid': os.getgid(), 'greeting': os.environ.get('GREETING'),
    'capabilities': int(status['CapEff'], 16) | int(status['CapBnd'], 16),
    'no_new_privileges': int(status['NoNewPrivs']),
    'root': writable('/'), 'model': writable('/models/qwen'), 'tmp': writable('/tmp'),
    'files': os.listdir('/models/qwen'),
    'shm_bytes': stat.f_blocks * stat.f_frsize,
    'memory': number('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'),
}), flush=True)
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[ContainerBench]:
    if "MODELIUM_TEST_BASE_IMAGE" not in os.environ:
        pytest.skip("MODELIUM_TEST_BASE_IMAGE names no image with Python 3")
    made = container_bench(tmp_path)
    yield made
    await made.clean_up()


async def _what_it_sees(bench: ContainerBench) -> dict[str, Any]:
    (bench.folder / "model").mkdir()
    (bench.folder / "model" / "config.json").write_text("{}")
    engine = await bench.started(LOOKS_AROUND)
    lines: list[str] = []

    async def has_spoken() -> bool:
        lines[:] = await engine.log_tail(1)
        return bool(lines) and lines[0].startswith("started")

    await eventually(has_spoken, "the program has looked around")
    seen: dict[str, Any] = json.loads(lines[0].removeprefix("started"))
    return seen


async def test_an_engine_is_confined_to_what_it_needs(bench: ContainerBench) -> None:
    seen = await _what_it_sees(bench)
    assert (seen["uid"], seen["gid"]) == (2000, 0)
    assert (seen["capabilities"], seen["no_new_privileges"]) == (0, 1)
    assert (seen["root"], seen["model"], seen["tmp"]) == (False, False, True)
    assert seen["files"] == ["config.json"]
    assert seen["greeting"] == "hello"


async def test_a_folder_with_a_colon_in_its_name_can_be_served(bench: ContainerBench) -> None:
    folder = bench.folder / "qwen:7b"
    folder.mkdir()
    launcher = await bench.launcher()
    spec = bench.spec(launcher, programs.SERVES)
    engine = await launcher.start(replace(spec, site=replace(spec.site, source_path=str(folder))))
    assert (await engine.status()).running


async def test_an_engine_has_its_limits_and_no_way_out(bench: ContainerBench) -> None:
    seen = await _what_it_sees(bench)
    assert seen["memory"] == 128 * MIB
    assert seen["shm_bytes"] == 64 * MIB
    client = docker.from_env()
    (network,) = client.networks.list(names=[bench.settings.network])
    client.close()
    assert network.attrs["Internal"]


async def test_a_missing_image_is_named_with_the_remedy(bench: ContainerBench) -> None:
    bench.image = "modelium-test/there-is-none:never"
    with pytest.raises(LaunchFailed, match=r"no image modelium-test/there-is-none:never: build it"):
        await bench.started(programs.SERVES)


async def test_a_gpu_that_docker_cannot_give_is_told_with_the_remedy(bench: ContainerBench) -> None:
    launcher = await bench.launcher()
    spec = bench.spec(launcher, programs.SERVES)
    gpu = {"device_kind": DeviceKind.CUDA, "device_ids": ("GPU-0",)}
    with pytest.raises(LaunchFailed, match="NVIDIA Container Toolkit"):
        await launcher.start(replace(spec, record=spec.record.model_copy(update=gpu)))
    assert await launcher.adopt() == []


async def test_a_strangers_container_with_the_same_name_is_left_alone(
    bench: ContainerBench,
) -> None:
    launcher = await bench.launcher()
    spec = bench.spec(launcher, programs.SERVES)
    client = docker.from_env()
    name = container_name(spec.record.agent_id, spec.record.instance_id)
    stranger = client.containers.create(bench.image, ["true"], name=name)
    try:
        with pytest.raises(LaunchFailed, match="another container has the name"):
            await launcher.start(spec)
        stranger.reload()
        assert stranger.status == "created"
    finally:
        stranger.remove(force=True)
        client.close()


async def test_a_container_that_used_too_much_memory_says_so(bench: ContainerBench) -> None:
    engine = await bench.started("blob = bytearray(1 << 30); blob[::4096] = b'x' * (1 << 18)")

    async def has_ended() -> bool:
        return not (await engine.status()).running

    await eventually(has_ended, "the kernel has killed it")
    status = await engine.status()
    assert status.oom_killed
    assert status.exit_code == 137


async def test_no_docker_is_told_with_the_remedy(
    bench: ContainerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{bench.folder}/nobody.sock")
    with pytest.raises(DependencyUnavailable, match="Start the Docker Engine"):
        await connect(bench.settings)
    monkeypatch.undo()
