"""Engines as processes of this machine, each in a session of its own, outliving the agent.

Every engine has a record file (marker, pid, start time, port) and a log file. The record is written
before the process is started, so that an engine is found even when the agent is killed in between.
`subprocess` is used rather than asyncio's processes: those are killed with their event loop.
"""

import asyncio
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from modelium.common.clock import Clock
from modelium.common.engine_log import EngineLog
from modelium.common.settings import LauncherKind
from modelium.runtime_agent import process_tree as tree
from modelium.runtime_agent.launcher import (
    Engine,
    EngineRecord,
    LaunchFailed,
    LaunchSpec,
    Site,
    Status,
    Usage,
)
from modelium.runtime_agent.model_files import readable_by
from modelium.runtime_agent.process_files import ProcessFiles, ProcessRecord

T = TypeVar("T")
HOST = "127.0.0.1"
POLL_S = 0.05
KILL_TIMEOUT_S = 30.0
"""A process that waits for a device in the kernel cannot be killed; nobody waits for it longer."""
_KEPT_VARIABLE = "MODELIUM_RUN"


async def _blocking(call: Callable[..., T], *args: Any) -> T:
    """The one way from here to calls that block."""
    return await asyncio.to_thread(call, *args)


class ProcessEngine:
    """One engine; `child` is there when this very agent has started it."""

    def __init__(
        self,
        kept: ProcessRecord,
        files: ProcessFiles,
        clock: Clock,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.record = kept.record
        self.endpoint = f"http://{HOST}:{kept.port}"
        self._kept = kept
        self._files = files
        self._clock = clock
        self._child = child

    async def status(self) -> Status:
        return self._status()

    async def usage(self) -> Usage:
        return await _blocking(self._usage)

    async def stop(self, grace_s: float) -> None:
        """SIGTERM goes to the first process only: it lets the others finish what they do."""
        if self._status().running and self._kept.pid is not None:
            os.kill(self._kept.pid, signal.SIGTERM)
        deadline_s = self._clock.monotonic() + grace_s
        while self._status().running and self._clock.monotonic() < deadline_s:
            await self._clock.sleep(POLL_S)
        await self.kill()

    async def kill(self) -> None:
        """A process that ends can no longer be found by its marker before its memory is freed."""
        deadline_s = self._clock.monotonic() + KILL_TIMEOUT_S
        ending: set[tree.Identity] = set()
        while True:
            ending |= await _blocking(self._killed)
            ending = {process for process in ending if tree.is_running(process)}
            if not ending or self._clock.monotonic() >= deadline_s:
                break
            await self._clock.sleep(POLL_S)
        self._status()

    async def log_tail(self, lines: int) -> tuple[str, ...]:
        return await _blocking(self._files.logs.tail, self.record.instance_id, lines)

    async def forget(self) -> None:
        await _blocking(self._files.forget, self.record.instance_id)

    def _killed(self) -> set[tree.Identity]:
        """Those that were found, and sent SIGKILL."""
        found = {known for pid in self._members() if (known := tree.identity(pid)) is not None}
        tree.kill_all([known.pid for known in found])
        return found

    def _members(self) -> list[int]:
        return tree.members(self._kept.marker, self._kept.leader)

    def _status(self) -> Status:
        if self._child is not None:
            code = self._child.poll()
            return Status(running=code is None, exit_code=code)
        leader = self._kept.leader
        return Status(running=leader is not None and tree.is_running(leader))

    def _usage(self) -> Usage:
        used = tree.usage(self._members())
        log_bytes = self._files.logs.size_bytes(self.record.instance_id)
        return Usage(str(log_bytes), used.cpu_s, used.resident_bytes)


class ProcessLauncher:
    """Starts engines as processes; `folder` holds their records and logs."""

    def __init__(self, folder: Path, *, agent_id: str, clock: Clock) -> None:
        self._files = ProcessFiles(folder)
        self._agent_id = agent_id
        self._clock = clock
        self._started: dict[str, ProcessEngine] = {}

    def site(self, record: EngineRecord, path: str) -> Site:
        return Site(LauncherKind.PROCESS, path, path, HOST, _free_port())

    async def start(self, spec: LaunchSpec) -> Engine:
        instance = spec.record.instance_id
        running = self._started.get(instance)
        if running is not None and running._status().running:
            return running
        engine = await _blocking(self._start, spec)
        self._started[instance] = engine
        return engine

    async def adopt(self) -> list[Engine]:
        return [*await _blocking(self._adopt)]

    async def log(self, instance_id: str, after: str, lines: int) -> EngineLog | None:
        return await _blocking(self._files.logs.part, instance_id, after, lines)

    def readable_by_engine(self, mode: int, uid: int, gid: int) -> bool:
        gids = frozenset({os.getegid(), *os.getgroups()})
        return readable_by(mode, uid, gid, uid=os.geteuid(), gids=gids)

    def _start(self, spec: LaunchSpec) -> ProcessEngine:
        marker = f"{spec.record.instance_id}@{secrets.token_hex(8)}"
        kept = ProcessRecord(record=spec.record, marker=marker, port=spec.site.port)
        with self._written(kept) as (kept, log):
            child = self._spawn(spec, kept, log)
        found = tree.identity(child.pid)
        if found is not None:
            start = {"start_ticks": found.start_ticks, "boot_id": found.boot_id}
            kept = kept.model_copy(update={"pid": child.pid, **start})
            self._write_if_possible(kept)
        return ProcessEngine(kept, self._files, self._clock, child)

    @contextmanager
    def _written(self, kept: ProcessRecord) -> Iterator[tuple[ProcessRecord, BinaryIO]]:
        """The record, with the engine's temporary folder, and the log; no record if it fails."""
        instance, folder = kept.record.instance_id, self._files.folder
        try:
            self._files.ensure_room()
            kept = self._files.begin(kept)
            log = self._files.open_log(instance)
        except OSError as wrong:
            self._files.forget(instance)
            raise LaunchFailed(
                f"{folder} (runtime_agent.state_directory) cannot be written"
                f" ({wrong.strerror or wrong}); free some space there, or let another be used"
            ) from wrong
        with log:
            try:
                yield kept, log
            except LaunchFailed:
                self._files.forget(instance)
                raise

    def _write_if_possible(self, kept: ProcessRecord) -> None:
        """Its pid is not needed: who reads the record finds the process by its marker."""
        with suppress(OSError):
            self._files.write(kept)

    def _spawn(
        self, spec: LaunchSpec, kept: ProcessRecord, log: BinaryIO
    ) -> subprocess.Popen[bytes]:
        environment = _inherited() | self._files.caches() | dict(spec.environment)
        environment |= {tree.MARKER: kept.marker, "SPT_NOENV": "1", "PYTHONUNBUFFERED": "1"}
        environment["TMPDIR"] = str(kept.scratch)
        try:
            return subprocess.Popen(
                spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._files.folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as wrong:
            problem = f"{spec.argv[0]} cannot be run ({wrong.strerror or wrong})"
            raise LaunchFailed(problem) from wrong

    def _adopt(self) -> list[ProcessEngine]:
        mine = [k for k in self._files.records() if k.record.agent_id == self._agent_id]
        return [ProcessEngine(self._completed(k), self._files, self._clock) for k in mine]

    def _completed(self, kept: ProcessRecord) -> ProcessRecord:
        """With the pid, where the last agent was killed before it could write it down."""
        found = tree.find_leader(kept.marker) if kept.pid is None else None
        if found is None:
            return kept
        start = {"start_ticks": found.start_ticks, "boot_id": found.boot_id}
        completed = kept.model_copy(update={"pid": found.pid, **start})
        self._write_if_possible(completed)
        return completed


def _inherited() -> dict[str, str]:
    """This process's environment without settings of ours, or of vLLM's, that are not for it."""
    dropped = ("MODELIUM_", "VLLM_")
    return {
        name: value
        for name, value in os.environ.items()
        if name == _KEPT_VARIABLE or not name.startswith(dropped)
    }


def _free_port() -> int:
    """A port that was free a moment ago; the engine reports it if it no longer is."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
