"""The agent with a real vLLM on the CPU: the traps that the stub only imitates.

One engine at a time; about a minute each.
"""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.events import RuntimeFailed, RuntimeLoaded, RuntimeUnloaded
from modelium.common.records import FailureKind
from modelium.runtime_agent.engine_http import EngineHttp
from tests.agent_kit import a_load, an_unload, eventually, is_alive
from tests.integration.agents import RunningAgent, an_agent

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
START_S = 240.0


@pytest.fixture
def python() -> Path:
    named = os.environ.get("MODELIUM_VLLM_PYTHON")
    if not named:
        pytest.skip("MODELIUM_VLLM_PYTHON names no interpreter with vLLM")
    return Path(named)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "qwen"
    write_sample_model(path)
    return path


async def _loaded(agent: RunningAgent, model: Path) -> RuntimeLoaded:
    await agent.send(a_load(model))

    async def has_come_to_an_end() -> bool:
        return RuntimeLoaded in agent.kinds or RuntimeFailed in agent.kinds

    await eventually(has_come_to_an_end, "the load has ended", within_s=START_S)
    return await agent.heard(RuntimeLoaded)


def _named(agent: RunningAgent, title: str) -> psutil.Process:
    return next(p for p in agent.processes() if title in " ".join(p.cmdline()))


async def test_an_engine_loads_survives_its_agent_and_ends_its_requests_when_stopped(
    tmp_path: Path, model: Path, python: Path
) -> None:
    async with an_agent(tmp_path, python=python, shutdown_timeout_seconds=20) as first:
        loaded = await _loaded(first, model)
        processes = first.processes()
        assert len(processes) >= 3
        assert loaded.resident_bytes > 500 << 20
    async with an_agent(tmp_path, python=python, shutdown_timeout_seconds=20) as agent:
        again = await agent.heard(RuntimeLoaded)
        assert again.endpoint == loaded.endpoint
        assert agent.processes() == processes
        await _unload_under_a_request(agent, again.endpoint)
        assert not any(is_alive(p) for p in processes)


async def _unload_under_a_request(agent: RunningAgent, endpoint: str) -> None:
    """What runs when SIGTERM comes must end in order, not as `abort` with HTTP 200."""

    http = EngineHttp()
    body = {"model": "qwen", "prompt": "word", "max_tokens": 200, "ignore_eos": True}
    async with asyncio.TaskGroup() as group:
        url = f"{endpoint}/v1/completions"
        asked = [group.create_task(http.ask("POST", url, timeout_s=60, body=body))]

        async def runs() -> bool:
            if asked[-1].done():  # before anybody looked
                asked.append(group.create_task(http.ask("POST", url, timeout_s=60, body=body)))
            return await _is_running(http, endpoint)

        await eventually(runs, "a request runs")
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded, within_s=60)
    await http.close()
    for answer in [task.result() for task in asked]:
        assert answer.status == 200
        assert b'"finish_reason":"length"' in answer.body


async def _is_running(http: EngineHttp, endpoint: str) -> bool:
    metrics = (await http.ask("GET", f"{endpoint}/metrics", timeout_s=5)).body.decode()
    running = [m for m in metrics.splitlines() if m.startswith("vllm:num_requests_running{")]
    return any(float(m.split()[-1]) > 0 for m in running)


async def test_a_killed_engine_core_is_a_crash_although_the_server_exits_0(
    tmp_path: Path, model: Path, python: Path
) -> None:
    async with an_agent(tmp_path, python=python) as agent:
        await _loaded(agent, model)
        processes = agent.processes()
        _named(agent, "EngineCore").send_signal(signal.SIGKILL)
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert failed.log_tail
        assert not any(is_alive(p) for p in processes)


async def test_a_killed_server_leaves_no_core_and_no_worker_behind(
    tmp_path: Path, model: Path, python: Path
) -> None:
    async with an_agent(tmp_path, python=python) as agent:
        await _loaded(agent, model)
        server, *others = agent.processes()
        assert len(others) >= 2
        server.send_signal(signal.SIGKILL)
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert not any(is_alive(p) for p in others)


async def test_a_load_is_cancelled_within_seconds_where_sigterm_would_be_swallowed(
    tmp_path: Path, model: Path, python: Path
) -> None:
    async with an_agent(tmp_path, python=python) as agent:
        await agent.send(a_load(model))

        async def has_a_core() -> bool:
            return any("EngineCore" in " ".join(p.cmdline()) for p in agent.processes())

        await eventually(has_a_core, "the engine core has been started", within_s=START_S)
        processes = agent.processes()
        await agent.send(an_unload(drain_s=600))
        await agent.heard(RuntimeUnloaded, within_s=5)
        assert not any(is_alive(p) for p in processes)


async def test_a_context_that_does_not_fit_fails_with_the_length_that_would(
    tmp_path: Path, model: Path, python: Path
) -> None:
    async with an_agent(tmp_path, python=python) as agent:
        await agent.send(a_load(model, kv_cache_bytes=64 << 10))
        failed = await agent.heard(RuntimeFailed, within_s=START_S)
        assert failed.kind in (FailureKind.START_FAILED, FailureKind.OUT_OF_MEMORY)
        assert "key-value cache" in failed.reason
        assert agent.processes() == []
