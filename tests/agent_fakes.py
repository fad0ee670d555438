"""An engine, a runtime, a launcher and devices that are as a test says; for unit tests."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelium.common.descriptor import Task
from modelium.common.engine_log import EngineLog
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import LoadModel
from modelium.common.records import Device, DeviceKind
from modelium.common.settings import LauncherKind
from modelium.common.testing import FakeClock
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import Answer, EngineHttp
from modelium.runtime_agent.launcher import (
    Engine,
    EngineRecord,
    LaunchFailed,
    LaunchSpec,
    Site,
    Status,
    Usage,
)
from modelium.runtime_agent.runtime import Health, Limits, NotServing, Proof, Work
from tests.agent_kit import a_record

RUNS = Status(running=True)


@dataclass
class FakeEngine:
    """An engine as the test says it is; while `away`, whoever runs it does not answer."""

    record: EngineRecord = field(default_factory=a_record)
    endpoint: str = "http://engine"
    now: Status = RUNS
    log: tuple[str, ...] = ("INFO fine",)
    log_mark: str = "0"
    away: bool = False
    killed: bool = False
    forgotten: bool = False
    clock: FakeClock | None = None
    """On which it ends the grace that it is given."""
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def status(self) -> Status:
        self._ask()
        return self.now

    async def usage(self) -> Usage:
        self._ask()
        return Usage(self.log_mark, 0.0, 77)

    async def stop(self, grace_s: float) -> None:
        """Takes all of the grace, unless it is killed; for ever without a clock."""
        self._ask()
        if self.clock is None:
            await self._gone.wait()
        else:
            await self.clock.sleep(grace_s)

    async def kill(self) -> None:
        self._ask()
        self.killed = True
        self.now = Status(running=False)
        self._gone.set()

    async def log_tail(self, lines: int) -> tuple[str, ...]:
        self._ask()
        return self.log[-lines:]

    async def forget(self) -> None:
        self._ask()
        self.forgotten = True

    def _ask(self) -> None:
        if self.away:
            raise DependencyUnavailable("Docker does not answer", "Start it.")


@dataclass
class FakeRuntime:
    """A runtime whose engines answer what the test says."""

    answers: Health = Health.STARTING
    refuses: str = ""
    at: Work = Work(0, "")  # noqa: RUF009 - frozen
    asked_within_s: float | None = None
    limits: Limits = Limits(10.0, 100.0, 5.0, 30.0)  # noqa: RUF009 - frozen
    last_line_says_why: bool = False

    def spec(self, command: LoadModel, *_: object) -> LaunchSpec:
        raise LaunchFailed("this runtime starts nothing")

    def can_sleep(self, kind: DeviceKind, task: Task) -> bool:
        return False

    async def health(self, endpoint: str) -> Health:
        return self.answers

    async def work(self, endpoint: str) -> Work:
        return self.at

    async def prove(
        self, endpoint: str, record: EngineRecord, *, within_s: float | None = None
    ) -> Proof:
        self.asked_within_s = within_s
        if self.refuses:
            raise NotServing(self.refuses)
        return Proof("vllm-1.0", "1 2 3")

    async def sleep(self, endpoint: str, level: int) -> None:
        raise NotImplementedError

    async def wake(self, endpoint: str, level: int) -> None:
        """At once."""


@dataclass
class FakeLauncher:
    """It has started these engines before, and starts no others."""

    engines: Sequence[Engine] = ()

    def site(self, record: EngineRecord, path: str) -> Site:
        return Site(LauncherKind.PROCESS, path, path, "127.0.0.1", 1)

    async def start(self, spec: LaunchSpec) -> Engine:
        raise NotImplementedError

    async def adopt(self) -> list[Engine]:
        return [*self.engines]

    async def log(self, instance_id: str, after: str, lines: int) -> EngineLog | None:
        return None

    def readable_by_engine(self, mode: int, uid: int, gid: int) -> bool:
        return True


class FakeDevices:
    """One CPU slot, of whose memory nothing is known."""

    def traits(self, device_id: str) -> Traits | None:
        return Traits(device_id, DeviceKind.CPU, 16 << 30, cores=1.0)

    async def measure(self, resident_bytes: Mapping[str, int]) -> tuple[Device, ...]:
        return ()


class Answers(EngineHttp):
    """Answers without an engine; a test request with an empty object."""

    def __init__(self, answers: dict[str, tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.bodies: dict[str, dict[str, Any]] = {}

    async def ask(
        self, method: str, url: str, *, timeout_s: float, body: dict[str, Any] | None = None
    ) -> Answer:
        path = url.removeprefix("http://e")
        self.asked.append(path)
        if body is not None:
            self.bodies[path] = body
        return Answer(*self.answers.get(path, (200, b"{}")))
