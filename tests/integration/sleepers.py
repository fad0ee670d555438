"""What tests of sleeping engines share: an agent with a GPU, and a model that is put to sleep."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelium.common.descriptor import RuntimeKind
from modelium.common.events import RuntimeLoaded, RuntimeSleeping
from modelium.runtime_agent.engine_http import EngineHttp
from tests.agent_kit import MIB, a_load, a_sleep
from tests.integration.agents import GPU, RunningAgent, a_clean_agent

HELD = 400 * MIB
ASLEEP = HELD // 10
"""What the stub keeps of it."""
ON_GPU = {"device_ids": (GPU,), "reserve_bytes": 500 * MIB, "weight_bytes": 240 * MIB}
STUB = ("--gpu-mib", "400")


def a_model(folder: Path) -> Path:
    """The files of a model, as far as the stub looks at them."""
    path = folder / "qwen"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


def a_sleepy_agent(
    folder: Path, *stub: str, **settings: Any
) -> AbstractAsyncContextManager[RunningAgent]:
    """An agent with a GPU, whose engines can sleep and are stopped at the end."""
    able = {"sleep_mode": True, "on_gpu": True} | settings
    return a_clean_agent(folder, *STUB, *stub, **able)


def trapped(folder: Path, trap: str) -> AbstractAsyncContextManager[RunningAgent]:
    """The same with engines that go wrong in this way."""
    return a_sleepy_agent(folder, "--sleep-trap", trap)


async def load_on_gpu(agent: RunningAgent, model: Path) -> RuntimeLoaded:
    """Load `qwen`; no gateway needs to be waited for any more."""
    await agent.send(a_load(model, kv_cache_bytes=120 * MIB, **ON_GPU))
    loaded = await agent.heard(RuntimeLoaded)
    agent.listen_for_long()
    return loaded


async def put_to_sleep(agent: RunningAgent, model: Path, *, level: int = 1) -> RuntimeSleeping:
    """Load it and put it to sleep."""
    await load_on_gpu(agent, model)
    await agent.send(a_sleep(level=level, drain_s=5.0))
    return await agent.heard(RuntimeSleeping)


@asynccontextmanager
async def an_http() -> AsyncIterator[EngineHttp]:
    """To ask an engine oneself."""
    http = EngineHttp()
    yield http
    await http.close()


def patience(agent: RunningAgent, seconds: float) -> None:
    """How long an engine's answer to an order is waited for."""
    runtime: Any = agent.tools.runtimes[RuntimeKind.VLLM]
    runtime.limits = replace(runtime.limits, stall_timeout_s=seconds)


async def free_bytes(agent: RunningAgent) -> int:
    """Of the GPU."""
    (gpu,) = await agent.tools.devices.measure({})
    return gpu.free_bytes
