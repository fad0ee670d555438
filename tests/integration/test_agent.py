"""The agent with real processes: the stub engine, the real supervisor, an in-memory bus."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from modelium.common.events import (
    GatewayStats,
    Message,
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloaded,
    RuntimeUnloading,
    SleepModel,
    WakeModel,
)
from modelium.common.figures import GatewayModelStats
from modelium.common.records import FailureKind, InstanceState
from modelium.runtime_agent.engine_http import EngineHttp
from tests.agent_kit import a_load, an_unload, eventually, is_alive
from tests.integration.agents import RunningAgent, an_agent


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "qwen"
    path.mkdir()
    (path / "config.json").write_text("{}")
    return path


@asynccontextmanager
async def _agent(tmp_path: Path, *stub: str, **settings: object) -> AsyncIterator[RunningAgent]:
    async with an_agent(tmp_path, *stub, **settings) as agent:
        try:
            yield agent
        finally:
            await agent.supervisor.stop_all(0.0)


async def _loaded(agent: RunningAgent, model: Path) -> RuntimeLoaded:
    await agent.send(a_load(model))
    return await agent.heard(RuntimeLoaded)


async def test_a_loaded_engine_is_announced_with_an_endpoint_that_answers(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path) as agent:
        loaded = await _loaded(agent, model)
        assert agent.kinds == [RuntimeLoading, RuntimeLoaded]
        assert loaded.load_s is not None
        assert loaded.resident_bytes > 0
        http = EngineHttp()
        answer = await http.ask("GET", f"{loaded.endpoint}/health", timeout_s=5)
        await http.close()
        assert answer.status == 200


async def test_an_unloaded_engine_leaves_no_process_behind(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path, "--child") as agent:
        await _loaded(agent, model)
        processes = agent.processes()
        assert len(processes) >= 2
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded)
        assert agent.kinds[-2:] == [RuntimeUnloading, RuntimeUnloaded]
        assert not any(is_alive(p) for p in processes)
        assert agent.supervisor.instances() == ()


async def test_exit_code_0_that_nobody_asked_for_is_a_crash(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path, "--die-after-chunks", "1") as agent:
        loaded = await _loaded(agent, model)
        http = EngineHttp()
        body = {"model": "qwen", "prompt": "x", "max_tokens": 5}
        with pytest.raises(Exception, match="connection broke"):
            await http.ask("POST", f"{loaded.endpoint}/v1/completions", timeout_s=5, body=body)
        await http.close()
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert "exit code 0" in failed.reason
        assert failed.log_tail


async def test_a_load_is_cancelled_at_once_although_sigterm_is_swallowed_while_loading(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path, "--startup-delay", "600", "--child") as agent:
        await agent.send(a_load(model))
        await agent.until_processes(2)
        processes = agent.processes()
        async with asyncio.timeout(5):
            await agent.send(an_unload(drain_s=600))
            await agent.heard(RuntimeUnloaded)
        assert not any(is_alive(p) for p in processes)
        assert agent.kinds == [RuntimeLoading, RuntimeUnloading, RuntimeUnloaded]


async def test_orphans_of_a_killed_api_server_are_swept(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path, "--child") as agent:
        await _loaded(agent, model)
        server, *orphans = agent.processes()
        server.send_signal(signal.SIGKILL)
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert orphans
        assert not any(is_alive(p) for p in orphans)


async def test_health_200_without_an_answer_to_the_canary_is_not_loaded(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path, "--fail-requests") as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.START_FAILED
        assert "answered 500" in failed.reason
        assert RuntimeLoaded not in agent.kinds
        assert agent.processes() == []


async def test_a_health_check_that_says_503_is_a_failure(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path, "--fail-health") as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert "503" in failed.reason
        assert agent.processes() == []


async def test_a_load_without_progress_fails_with_the_reason(tmp_path: Path, model: Path) -> None:
    async with _agent(
        tmp_path, "--startup-delay", "600", "--stall", stall_timeout_seconds=1.5
    ) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.TIMEOUT
        assert "stood still" in failed.reason
        assert agent.processes() == []


async def test_an_engine_that_fails_to_start_says_why(tmp_path: Path, model: Path) -> None:
    text = "'ValueError: Insufficient space in /dev/shm, 160 MiB required, 64 MiB free'"
    async with _agent(tmp_path, "--fail-start", text) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.START_FAILED
        assert "/dev/shm is too small" in failed.reason


async def test_a_model_that_is_gone_fails_before_anything_is_started(tmp_path: Path) -> None:
    async with _agent(tmp_path) as agent:
        await agent.send(a_load(tmp_path / "nowhere"))
        failed = await agent.heard(RuntimeFailed)
        assert "no model at" in failed.reason


async def test_without_an_interpreter_the_load_fails_with_the_remedy(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path, python=None) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert "MODELIUM_VLLM__PYTHON" in failed.reason


async def test_a_device_of_another_agent_fails_the_load(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path) as agent:
        await agent.send(a_load(model, device_ids=("cpu-other-0",)))
        failed = await agent.heard(RuntimeFailed)
        assert "does not own cpu-other-0" in failed.reason


async def test_a_load_delivered_twice_starts_one_engine_and_is_announced_again(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        processes = agent.processes()
        await agent.send(a_load(model))
        await agent.heard(RuntimeLoaded, count=2)
        assert agent.processes() == processes


async def test_an_older_generation_changes_nothing(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path) as agent:
        await agent.send(a_load(model, generation=5))
        await agent.heard(RuntimeLoaded)
        await agent.send(a_load(model, generation=4))
        await agent.bus.settled()
        assert [i.generation for i in agent.supervisor.instances()] == [5]


async def test_a_newer_generation_takes_the_place_of_the_older(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        await agent.send(a_load(model, generation=2))
        await agent.heard(RuntimeLoaded, count=2)
        await agent.heard(RuntimeUnloaded)
        assert [i.generation for i in agent.supervisor.instances()] == [2]


async def test_unloading_what_is_not_there_is_announced_as_unloaded(tmp_path: Path) -> None:
    async with _agent(tmp_path) as agent:
        await agent.send(an_unload(generation=7))
        unloaded = await agent.heard(RuntimeUnloaded)
        assert unloaded.generation == 7


async def test_unload_of_an_ended_generation_is_announced_again(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded, count=2)


async def test_an_engine_is_stopped_only_when_the_gateway_has_let_go(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        agent.listen_for_long()
        await agent.send(_stats(routed=1))
        await agent.send(an_unload(drain_s=600))
        await agent.heard(RuntimeUnloading)
        await agent.send(_stats(routed=None, serving=(1,)))
        await agent.bus.settled()
        assert [i.state for i in agent.supervisor.instances()] == [InstanceState.UNLOADING]
        await agent.send(_stats(routed=None))
        await agent.heard(RuntimeUnloaded)


async def test_the_drain_deadline_ends_the_wait(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        await agent.send(_stats(routed=1, serving=(1,)))
        await agent.send(an_unload(drain_s=0.5))
        await agent.heard(RuntimeUnloaded)


def _stats(*, routed: int | None, serving: tuple[int, ...] = ()) -> GatewayStats:
    model = GatewayModelStats(
        model="qwen",
        requests=0,
        failures=0,
        in_flight=len(serving),
        waiting=0,
        oldest_wait_s=0,
        idle_s=None,
        routed_generation=routed,
        in_flight_generations=serving,
    )
    return GatewayStats(gateway_id="g1", models=(model,))


async def test_a_cpu_engine_cannot_sleep_and_the_command_says_why(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path) as agent:
        await _loaded(agent, model)
        await agent.send(_command(SleepModel, drain_deadline_s=0))
        await agent.bus.settled()
        assert "cannot sleep" in agent.bus.dead_letters[-1].reason


async def test_an_engine_sleeps_and_wakes_where_its_runtime_can(
    tmp_path: Path, model: Path
) -> None:
    async with _agent(tmp_path, sleeps=True) as agent:
        await _loaded(agent, model)
        await agent.send(_command(SleepModel, drain_deadline_s=0))
        await agent.heard(RuntimeSleeping)
        await agent.send(_command(WakeModel))
        await agent.heard(RuntimeLoaded, count=2)
        assert agent.kinds == [
            RuntimeLoading,
            RuntimeLoaded,
            RuntimeUnloading,
            RuntimeSleeping,
            RuntimeLoading,
            RuntimeLoaded,
        ]


def _command(kind: type[Message], **more: object) -> Message:
    fields = {"agent_id": "local", "model": "qwen", "instance_id": "qwen.1", "generation": 1}
    return kind.model_validate(fields | more)


async def test_a_stopped_agent_stops_its_engines(tmp_path: Path, model: Path) -> None:
    async with an_agent(tmp_path) as agent:
        await _loaded(agent, model)
        await agent.supervisor.stop_all(0.0)
        assert agent.kinds[-1] is RuntimeUnloaded
        assert agent.processes() == []


async def test_the_next_agent_adopts_a_running_engine_and_announces_it_again(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path) as first:
        loaded = await _loaded(first, model)
        processes = first.processes()
    async with _agent(tmp_path) as second:
        again = await second.heard(RuntimeLoaded)
        assert second.kinds == [RuntimeLoaded]
        assert again.endpoint == loaded.endpoint
        assert second.processes() == processes


async def test_the_next_agent_goes_on_watching_an_engine_that_was_still_loading(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path, "--startup-delay", "3") as first:
        await first.send(a_load(model))
        await first.until_processes(1)
        processes = first.processes()
    async with _agent(tmp_path) as second:
        await second.heard(RuntimeLoaded)
        assert second.processes() == processes


async def test_the_next_agent_tells_of_an_engine_that_is_gone(tmp_path: Path, model: Path) -> None:
    async with an_agent(tmp_path) as first:
        await _loaded(first, model)
        for process in first.processes():
            process.kill()
        psutil.wait_procs(first.processes(), timeout=5)
    async with _agent(tmp_path) as second:
        failed = await second.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert second.supervisor.instances() == ()


async def test_the_next_agent_ends_the_unload_that_was_under_way(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path) as first:
        await _loaded(first, model)
        await first.send(_stats(routed=1, serving=(1,)))
        await first.send(an_unload(drain_s=1.0))
        await first.heard(RuntimeUnloading)
    async with _agent(tmp_path) as second:
        await second.heard(RuntimeUnloaded)
        assert second.processes() == []


async def test_engines_of_one_device_start_one_after_the_other(tmp_path: Path, model: Path) -> None:
    async with _agent(tmp_path, "--startup-delay", "0.3") as agent:
        await agent.send(a_load(model))
        await agent.send(a_load(model, model="other"))
        most = 0

        async def both_loaded() -> bool:
            nonlocal most
            most = max(most, len(agent.loading_processes()))
            return agent.kinds.count(RuntimeLoaded) == 2

        await eventually(both_loaded, "both are loaded")
        assert most == 1
