"""The model host: how everything that vLLM does not serve is run, solo or under Ray Serve.

The host is a program of Modelium's that runs in the engine's environment. It may import nothing
else of Modelium's, so a process is given a folder in which there is nothing else. It cannot sleep.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from modelium.common.descriptor import Descriptor, Task
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.common.settings import HostMode, LauncherKind, RayServe
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import EngineRecord, LaunchFailed, LaunchSpec, Site
from modelium.runtime_agent.runtime import CannotSleep, Health, Limits, NotServing, Proof, Work
from modelium.runtime_agent.runtimes.host_canary import row_for
from modelium.runtime_agent.runtimes.questions import (
    HEALTH_TIMEOUT_S,
    OFFLINE,
    Questions,
    ensure_status,
    work_in,
)

MODULE: Final = "modelium.model_host"
RAY_STOP_S: Final = 10.0
"""Ray Serve takes this longer to end than its requests do."""

_REQUESTS: Final = ("modelium_host_requests_running", "modelium_host_requests_waiting")
_PROGRESS: Final = ("modelium_host_run_seconds_count",)

ENVIRONMENT: Final = {**OFFLINE, "RAY_USAGE_STATS_ENABLED": "0"}


class RayServeRuntime:
    """Runs model hosts as the settings say.

    `python` is the interpreter where they name none; `package` gives the folder that a process
    finds the host's package in, or raises LaunchFailed.
    """

    last_line_says_why = True

    def __init__(
        self,
        settings: RayServe,
        http: EngineHttp,
        *,
        python: Path | None,
        package: Callable[[], Path],
    ) -> None:
        self._settings = settings
        self._questions = Questions(http)
        self._python = settings.python or python
        self._package = package
        in_ray = settings.mode is HostMode.RAY
        self.limits = Limits(
            stall_timeout_s=settings.stall_timeout_seconds,
            load_timeout_s=settings.load_timeout_seconds,
            shutdown_timeout_s=settings.shutdown_timeout_seconds + (RAY_STOP_S if in_ray else 0.0),
            silence_timeout_s=settings.silence_timeout_seconds,
            section="ray_serve",
        )

    def spec(
        self, command: LoadModel, record: EngineRecord, site: Site, devices: Sequence[Traits]
    ) -> LaunchSpec:
        on_cpu = record.device_kind is DeviceKind.CPU
        host_bytes = self._settings.host_memory_bytes + command.descriptor.weight_bytes
        return LaunchSpec(
            record=record,
            site=site,
            argv=(*self._program(site), *self._options(command, site, devices)),
            environment=self._environment(devices, site),
            image=self._settings.image,
            memory_bytes=command.reserve_bytes if on_cpu else host_bytes,
            shm_bytes=self._settings.shm_bytes,
            cores=sum(device.cores for device in devices),
        )

    def can_sleep(self, kind: DeviceKind, task: Task) -> bool:
        return False

    async def health(self, endpoint: str) -> Health:
        """A host that loads or is being stopped says 503: only a process that ends is dead."""
        return await self._questions.health(endpoint, unavailable=Health.STARTING)

    async def work(self, endpoint: str) -> Work:
        return work_of(await self._questions.metrics(endpoint))

    async def prove(
        self, endpoint: str, record: EngineRecord, *, within_s: float | None = None
    ) -> Proof:
        served = f"{endpoint}/v2/models/{record.model}"
        about = await self._about(served)
        if about.get("name") != record.model:
            raise NotServing(f"its engine serves {about.get('name')}, not {record.model}")
        row = row_for(about.get("inputs") or [])
        if row is not None:
            timeout_s = within_s or self.limits.stall_timeout_s
            answer = await self._questions.answer("POST", f"{served}/infer", timeout_s, row)
            # The row is a guess of ours: that it does not fit is an answer too.
            ensure_status(f"{served}/infer", answer, {200, 400})
        version = (await self._about(f"{endpoint}/v2")).get("version", "")
        return Proof(f"{record.runtime}-{self._settings.mode}-{version}".rstrip("-"))

    async def sleep(self, endpoint: str, level: int) -> None:
        raise CannotSleep("a model host has no sleep mode")

    async def wake(self, endpoint: str, level: int) -> None:
        raise CannotSleep("a model host has no sleep mode")

    async def _about(self, url: str) -> dict[str, Any]:
        """The JSON object that is there; everything else is NotServing."""
        value = await self._questions.json("GET", url, HEALTH_TIMEOUT_S)
        if not isinstance(value, dict):
            raise NotServing(f"{urlsplit(url).path} was answered with no JSON object")
        return value

    def _program(self, site: Site) -> tuple[str, ...]:
        if site.kind is LauncherKind.DOCKER:
            return ("python3", "-m", MODULE)
        if self._python is None:
            raise LaunchFailed(
                "No interpreter with torch and onnxruntime is set: let ray_serve.python"
                " (MODELIUM_RAY_SERVE__PYTHON) name one, or let `modelium up` install it"
            )
        return (str(self._python), "-m", MODULE)

    def _options(self, command: LoadModel, site: Site, devices: Sequence[Traits]) -> list[str]:
        settings, about = self._settings, command.descriptor
        options = [
            *("--name", command.model, "--path", str(PurePosixPath(site.model_path, about.file))),
            *(part for alias in _aliases(about) for part in ("--alias", alias)),
            *("--format", about.format, "--task", about.task),
            *("--host", site.host, "--port", str(site.port), "--mode", settings.mode),
            *("--device", devices[0].kind, "--threads", str(self._threads(devices))),
            *("--max-batch", str(settings.max_batch)),
            *("--batch-wait-ms", f"{settings.batch_wait_milliseconds:g}"),
            *("--max-queue", str(settings.max_queue)),
            *("--drain-seconds", str(settings.shutdown_timeout_seconds)),
        ]
        if devices[0].kind is DeviceKind.CUDA:
            options += ["--memory-bytes", str(command.reserve_bytes)]
        if about.inputs or about.outputs:
            options += ["--signature", _signature(about)]
        return options

    def _threads(self, devices: Sequence[Traits]) -> int:
        return self._settings.threads or max(1, int(sum(device.cores for device in devices)))

    def _environment(self, devices: Sequence[Traits], site: Site) -> dict[str, str]:
        environment = {**ENVIRONMENT, "OMP_NUM_THREADS": str(self._threads(devices))}
        if site.kind is LauncherKind.PROCESS:
            environment["PYTHONPATH"] = str(self._package())
            if devices[0].kind is DeviceKind.CUDA:
                # A container sees only its own devices; a process has to be told.
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(d.device_id for d in devices)
        return environment


def work_of(metrics: str) -> Work:
    """What the host's metrics say of its requests: it gets on with every run of the model."""
    return work_in(metrics, requests=_REQUESTS, progress=_PROGRESS)


def _aliases(about: Descriptor) -> tuple[str, ...]:
    return about.overrides.aliases if about.overrides else ()


def _signature(about: Descriptor) -> str:
    """What the analysis found, for files that do not say themselves what they take."""
    both = {"inputs": about.inputs, "outputs": about.outputs}
    return json.dumps({k: [spec.model_dump() for spec in specs] for k, specs in both.items()})
