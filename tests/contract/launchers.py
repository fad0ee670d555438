"""The launchers under test, each with a trivial program in the place of an engine."""

import os
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import docker

from modelium.common.clock import SystemClock
from modelium.runtime_agent.container_spec import AGENT_LABEL, ContainerSettings
from modelium.runtime_agent.containers import connect
from modelium.runtime_agent.launcher import Engine, Launcher, LaunchSpec
from modelium.runtime_agent.processes import ProcessLauncher
from tests.agent_kit import MIB, a_record

SERVES = "import time; print('started', flush=True); time.sleep(600)"
ENDS_ON_SIGTERM = """
import signal, sys, time
def end(*_):
    print('ended in order', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('started', flush=True)
time.sleep(600)
"""
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('started', flush=True)
time.sleep(600)
"""
EXITS_0 = "print('started\\nlast words', flush=True)"
LEAVES_A_FILE = """
import tempfile
print('started', tempfile.mkstemp()[1], flush=True)
"""
COMPUTES = "print('started', flush=True)\nwhile True: sum(range(10000))"
HAS_CHILDREN = """
import subprocess, sys, time
sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']
one = subprocess.Popen(sleeper)
two = subprocess.Popen(sleeper, start_new_session=True)
print('started', one.pid, two.pid, flush=True)
time.sleep(600)
"""


@dataclass
class Bench(ABC):
    """One launcher, and what agents that come after it would build."""

    folder: Path
    agent_id: str = field(default_factory=lambda: f"test-{uuid4().hex[:8]}")
    python: str = sys.executable
    image: str = ""

    @abstractmethod
    async def launcher(self) -> Launcher:
        """A new one, as an agent that has just been started has it."""

    async def started(self, program: str, *, model: str = "qwen") -> Engine:
        """An engine that runs `program`, from a launcher of its own."""
        launcher = await self.launcher()
        return await launcher.start(self.spec(launcher, program, model=model))

    def spec(self, launcher: Launcher, program: str, *, model: str = "qwen") -> LaunchSpec:
        record = a_record(model, agent=self.agent_id)
        path = self.folder / "model"
        path.mkdir(exist_ok=True)
        return LaunchSpec(
            record=record,
            site=launcher.site(record, str(path)),
            argv=(self.python, "-c", program),
            environment={"GREETING": "hello"},
            image=self.image,
            memory_bytes=128 * MIB,
            shm_bytes=64 * MIB,
            cores=1.0,
        )

    async def clean_up(self) -> None:
        for engine in await (await self.launcher()).adopt():
            await engine.kill()
            await engine.forget()


class ProcessBench(Bench):
    async def launcher(self) -> Launcher:
        return ProcessLauncher(self.folder / "state", agent_id=self.agent_id, clock=SystemClock())


class ContainerBench(Bench):
    async def launcher(self) -> Launcher:
        return await connect(self.settings)

    @property
    def settings(self) -> ContainerSettings:
        return ContainerSettings(
            agent_id=self.agent_id,
            network=f"modelium-{self.agent_id}",
            user="2000:0",
            pids_limit=64,
            logs=self.folder / "logs",
        )

    async def clean_up(self) -> None:
        await super().clean_up()
        client = docker.from_env()
        for network in client.networks.list(names=[self.settings.network]):
            network.remove()
        client.close()


def container_bench(folder: Path) -> ContainerBench:
    """Needs DOCKER_HOST (or Docker's own socket) and an image with Python 3."""
    image = os.environ["MODELIUM_TEST_BASE_IMAGE"]
    return ContainerBench(folder, python="python3", image=image)


__all__ = ["AGENT_LABEL", "Bench", "ContainerBench", "ProcessBench", "container_bench"]
