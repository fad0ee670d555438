"""Engines as containers, hardened; the only module that speaks to Docker.

Nothing in a container may be written but /tmp, it runs without capabilities as an ordinary user,
has limits of memory, processes and cores, sees one model read-only, and hangs on an internal
network without a way out. Its restart policy is "no": vLLM exits 0 when it crashes, and the agent
restarts what is wanted. Labels hold all that a later agent needs to adopt it.

Engines are reached by their address on the engine network: the agent and the gateways reach it from
containers on that network, and from the host, where the names of containers mean nothing.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import docker
import docker.errors
import requests.exceptions
from docker.models.containers import Container
from pydantic import ValidationError

from modelium.common.engine_log import MOST_LINES, EngineLog
from modelium.common.errors import DependencyUnavailable
from modelium.common.settings import LauncherKind
from modelium.runtime_agent.container_spec import (
    AGENT_LABEL,
    RECORD_LABEL,
    ContainerSettings,
    arguments,
    container_name,
    start_problem,
)
from modelium.runtime_agent.host_paths import HostPaths, own_container_id
from modelium.runtime_agent.kept_logs import KeptLogs, since
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

T = TypeVar("T")
PORT = 8000
REMEDY = "Start the Docker Engine, and let this user reach its socket (DOCKER_HOST)."


async def _blocking(call: Callable[[], T]) -> T:
    """The one way from here to the SDK, which blocks; its errors get our own name."""
    try:
        return await asyncio.to_thread(call)
    except docker.errors.APIError as wrong:
        reason = f"The Docker Engine failed ({wrong.explanation or wrong})"
        raise DependencyUnavailable(reason, "Its own log says why.") from wrong
    except requests.exceptions.RequestException as gone:
        raise DependencyUnavailable("The Docker Engine does not answer", REMEDY) from gone


class ContainerEngine:
    """One engine's container."""

    def __init__(
        self, container: Container, record: EngineRecord, network: str, logs: KeptLogs
    ) -> None:
        self.record = record
        self.endpoint = ""
        self._container = container
        self._network = network
        self._logs = logs
        self._learn_address()

    def _learn_address(self) -> None:
        """Known from the container's start to its end."""
        networks = self._container.attrs["NetworkSettings"]["Networks"]
        address = networks.get(self._network, {}).get("IPAddress")
        if address:
            self.endpoint = f"http://{address}:{PORT}"

    async def status(self) -> Status:
        return await _blocking(self._status)

    async def usage(self) -> Usage:
        return await _blocking(self._usage)

    async def stop(self, grace_s: float) -> None:
        await _blocking(
            lambda: self._while_there(lambda: self._container.stop(timeout=math.ceil(grace_s)))
        )

    async def kill(self) -> None:
        """Its process namespace ends with its first process: nothing is left behind."""
        await _blocking(lambda: self._while_there(self._kill))

    async def log_tail(self, lines: int) -> tuple[str, ...]:
        return await _blocking(lambda: self._log(lines))

    async def forget(self) -> None:
        await _blocking(lambda: self._while_there(self._forget))

    def _forget(self) -> None:
        """Docker forgets the log with the container."""
        with suppress(OSError):
            said = self._log(MOST_LINES, timestamps=True)
            if said:
                self._logs.keep(self.record.instance_id, said)
        self._container.remove(v=True, force=True)

    def _status(self) -> Status:
        try:
            self._container.reload()
        except docker.errors.NotFound:
            return Status(running=False)
        state = self._container.attrs["State"]
        self._learn_address()
        # "created" is a container that a killed agent did not get to start.
        running = state["Status"] in ("running", "paused", "restarting")
        code = None if running or state["Status"] == "created" else state["ExitCode"]
        return Status(running, code, state.get("OOMKilled", False))

    def _usage(self) -> Usage:
        try:
            stats = self._container.stats(stream=False, one_shot=True)
        except docker.errors.APIError:
            return Usage("", 0.0, 0)
        cpu_ns = stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage", 0)
        memory = stats.get("memory_stats", {})
        cache = memory.get("stats", {})
        inactive = cache.get("inactive_file", cache.get("total_inactive_file", 0))
        resident = max(0, memory.get("usage", 0) - inactive)
        return Usage("".join(self._log(1, timestamps=True)), cpu_ns / 1e9, resident)

    def _log(self, lines: int, *, timestamps: bool = False) -> tuple[str, ...]:
        try:
            log: bytes = self._container.logs(tail=lines, timestamps=timestamps)
        except docker.errors.APIError:
            return ()
        return tuple(log.decode(errors="replace").splitlines()[-lines:])

    def _kill(self) -> None:
        self._container.kill()
        self._container.wait()

    def _while_there(self, call: Callable[[], object]) -> None:
        """A container that is gone (404) or does not run (409) is how it should be."""
        try:
            call()
        except docker.errors.APIError as wrong:
            if wrong.status_code not in (404, 409):
                raise


class ContainerLauncher:
    """Starts engines as containers."""

    def __init__(
        self,
        client: docker.DockerClient,
        settings: ContainerSettings,
        paths: HostPaths,
    ) -> None:
        self._client = client
        self._settings = settings
        self._paths = paths
        self._logs = KeptLogs(settings.logs)

    def site(self, record: EngineRecord, path: str) -> Site:
        return Site(LauncherKind.DOCKER, path, f"/models/{record.model}", "0.0.0.0", PORT)

    async def start(self, spec: LaunchSpec) -> Engine:
        return await _blocking(lambda: self._start(spec))

    async def adopt(self) -> list[Engine]:
        return [*await _blocking(self._adopt)]

    async def log(self, instance_id: str, after: str, lines: int) -> EngineLog | None:
        return await _blocking(lambda: self._log(instance_id, after, lines))

    def _log(self, instance_id: str, after: str, lines: int) -> EngineLog | None:
        name = container_name(self._settings.agent_id, instance_id)
        try:
            said = self._client.containers.get(name).logs(tail=lines, timestamps=True)
            stamped = said.decode(errors="replace").splitlines()
        except docker.errors.NotFound:
            stamped = [*self._logs.tail(instance_id, MOST_LINES)]
            if not stamped:
                return None
        return since(stamped, after, lines)

    def _known_engine(self, container: Container, record: EngineRecord) -> ContainerEngine:
        return ContainerEngine(container, record, self._settings.network, self._logs)

    def readable_by_engine(self, mode: int, uid: int, gid: int) -> bool:
        user, group = (int(part) for part in self._settings.user.split(":"))
        return readable_by(mode, uid, gid, uid=user, gids=frozenset({group}))

    def _start(self, spec: LaunchSpec) -> ContainerEngine:
        self._ensure_network()
        container = self._create(spec)
        try:
            container.start()
            container.reload()
        except docker.errors.APIError as wrong:
            container.remove(v=True, force=True)
            raise LaunchFailed(start_problem(str(wrong.explanation or wrong))) from wrong
        except requests.exceptions.RequestException:
            # It may run: who watches it sees that once Docker is back, and can kill it.
            return self._known_engine(container, spec.record)
        return self._known_engine(container, spec.record)

    def _create(self, spec: LaunchSpec) -> Container:
        source = self._paths.on_host(spec.site.source_path)
        beside = self._paths.on_host(spec.beside) if spec.beside else ""
        wanted = arguments(spec, self._settings, source, beside)
        try:
            return self._client.containers.create(**wanted)
        except docker.errors.ImageNotFound as missing:
            raise LaunchFailed(
                f"There is no image {spec.image}: build it (deploy/images) or pull it"
            ) from missing
        except docker.errors.APIError as wrong:
            if wrong.status_code != 409:
                raise LaunchFailed(start_problem(str(wrong.explanation or wrong))) from wrong
            return self._known(spec)

    def _known(self, spec: LaunchSpec) -> Container:
        """The container that has this instance's name already: ours, or in the way."""
        name = container_name(spec.record.agent_id, spec.record.instance_id)
        container = self._client.containers.get(name)
        if container.labels.get(RECORD_LABEL) != spec.record.model_dump_json():
            raise LaunchFailed(
                f"another container has the name {container.name}; remedy: docker rm it"
            )
        return container

    def _ensure_network(self) -> None:
        name = self._settings.network
        if not self._client.networks.list(names=[f"^{name}$"]):
            # Two agents may get here at once: Docker refuses the second with 409.
            try:
                self._client.networks.create(name, internal=True, check_duplicate=True)
            except docker.errors.APIError as wrong:
                if wrong.status_code != 409:
                    raise LaunchFailed(f"the network {name} cannot be made: {wrong}") from wrong

    def _adopt(self) -> list[ContainerEngine]:
        wanted = {"label": f"{AGENT_LABEL}={self._settings.agent_id}"}
        found = []
        for container in self._client.containers.list(all=True, filters=wanted):
            try:
                record = EngineRecord.model_validate_json(container.labels.get(RECORD_LABEL, ""))
            except ValidationError:
                continue
            found.append(self._known_engine(container, record))
        return found


async def connect(settings: ContainerSettings) -> ContainerLauncher:
    """The launcher, once Docker has answered.

    Raises:
        DependencyUnavailable: it did not.
    """

    def build() -> ContainerLauncher:
        client = docker.from_env(timeout=300)
        client.ping()
        return ContainerLauncher(client, settings, _host_paths(client))

    try:
        return await _blocking(build)
    except docker.errors.DockerException as wrong:
        raise DependencyUnavailable(f"The Docker Engine cannot be used ({wrong})", REMEDY) from None


def _host_paths(client: docker.DockerClient) -> HostPaths:
    """Where this process's files are on the host: it may itself run in a container."""
    own = own_container_id()
    if own is None:
        return HostPaths()
    try:
        mounts = client.containers.get(own).attrs.get("Mounts", [])
    except docker.errors.NotFound:
        return HostPaths()
    return HostPaths(tuple((mount["Destination"], mount["Source"]) for mount in mounts))
