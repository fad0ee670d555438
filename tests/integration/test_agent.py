"""The agent with real processes: the stub engine, the real supervisor, an in-memory bus."""

import asyncio
import signal
from pathlib import Path

import pytest

from modelium.common.events import (
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeUnloaded,
    RuntimeUnloading,
)
from modelium.common.records import FailureKind
from modelium.runtime_agent.engine_http import EngineHttp
from tests.agent_kit import a_load, an_unload, eventually, is_alive
from tests.integration.agents import a_clean_agent, loaded


async def test_a_loaded_engine_is_announced_with_an_endpoint_that_answers(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path) as agent:
        announced = await loaded(agent, model)
        assert agent.kinds == [RuntimeLoading, RuntimeLoaded]
        assert announced.load_s is not None
        assert announced.resident_bytes > 0
        assert announced.memory is not None
        assert announced.memory.engine == "vllm-0.33.0"  # as the stub says
        assert announced.memory.kv_cache_bytes == a_load(model).kv_cache_bytes > 0
        http = EngineHttp()
        answer = await http.ask("GET", f"{announced.endpoint}/health", timeout_s=5)
        await http.close()
        assert answer.status == 200


async def test_an_unloaded_engine_leaves_no_process_behind(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path, "--child") as agent:
        await loaded(agent, model)
        processes = agent.processes()
        assert len(processes) >= 2
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded)
        assert agent.kinds[-2:] == [RuntimeUnloading, RuntimeUnloaded]
        assert not any(is_alive(p) for p in processes)
        assert agent.supervisor.instances() == ()


async def test_exit_code_0_that_nobody_asked_for_is_a_crash(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path, "--die-after-chunks", "1") as agent:
        announced = await loaded(agent, model)
        http = EngineHttp()
        body = {"model": "qwen", "prompt": "x", "max_tokens": 5}
        with pytest.raises(Exception, match="connection broke"):
            await http.ask("POST", f"{announced.endpoint}/v1/completions", timeout_s=5, body=body)
        await http.close()
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert "exit code 0" in failed.reason
        assert failed.log_tail


async def test_a_load_is_cancelled_at_once_although_sigterm_is_swallowed_while_loading(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path, "--startup-delay", "600", "--child") as agent:
        await agent.send(a_load(model))
        await agent.until_processes(2)
        processes = agent.processes()
        async with asyncio.timeout(5):
            await agent.send(an_unload(drain_s=600))
            await agent.heard(RuntimeUnloaded)
        assert not any(is_alive(p) for p in processes)
        assert agent.kinds == [RuntimeLoading, RuntimeUnloading, RuntimeUnloaded]


async def test_an_engine_that_hangs_while_its_health_check_says_200_is_killed(
    tmp_path: Path, model: Path
) -> None:
    hang = {"silence_timeout_seconds": 4}
    async with a_clean_agent(tmp_path, "--hang-after-tokens", "3", **hang) as agent:
        announced = await loaded(agent, model)
        http = EngineHttp()
        body = {"model": "qwen", "prompt": "x", "max_tokens": 5}
        asked = http.ask("POST", f"{announced.endpoint}/v1/completions", timeout_s=90, body=body)
        with pytest.raises(Exception, match="connection broke"):
            await asked
        await http.close()
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.TIMEOUT
        assert "not got on with its requests for 4 s" in failed.reason
        assert "no answer within 2 s" in failed.reason
        assert agent.processes() == []


async def test_orphans_of_a_killed_api_server_are_swept(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path, "--child") as agent:
        await loaded(agent, model)
        server, *orphans = agent.processes()
        server.send_signal(signal.SIGKILL)
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED
        assert orphans
        assert not any(is_alive(p) for p in orphans)


async def test_health_200_without_an_answer_to_the_canary_is_not_loaded(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path, "--fail-requests") as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.START_FAILED
        assert "answered 500" in failed.reason
        assert RuntimeLoaded not in agent.kinds
        assert agent.processes() == []


async def test_a_health_check_that_says_503_is_a_failure(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path, "--fail-health") as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert "503" in failed.reason
        assert agent.processes() == []


async def test_a_load_without_progress_fails_with_the_reason(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(
        tmp_path, "--startup-delay", "600", "--stall", stall_timeout_seconds=1.5
    ) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.TIMEOUT
        assert "stood still" in failed.reason
        assert agent.processes() == []


async def test_an_engine_that_fails_to_start_says_why(tmp_path: Path, model: Path) -> None:
    text = "'ValueError: Insufficient space in /dev/shm, 160 MiB required, 64 MiB free'"
    async with a_clean_agent(tmp_path, "--fail-start", text) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.START_FAILED
        assert "/dev/shm is too small" in failed.reason


async def test_a_model_that_is_gone_fails_before_anything_is_started(tmp_path: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await agent.send(a_load(tmp_path / "nowhere"))
        failed = await agent.heard(RuntimeFailed)
        assert "no model at" in failed.reason


async def test_without_an_interpreter_the_load_fails_with_the_remedy(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path, python=None) as agent:
        await agent.send(a_load(model))
        failed = await agent.heard(RuntimeFailed)
        assert "MODELIUM_VLLM__PYTHON" in failed.reason


async def test_a_device_of_another_agent_fails_the_load(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await agent.send(a_load(model, device_ids=("cpu-other-0",)))
        failed = await agent.heard(RuntimeFailed)
        assert "does not own cpu-other-0" in failed.reason


async def test_a_load_delivered_twice_starts_one_engine_and_is_announced_again(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        processes = agent.processes()
        await agent.send(a_load(model))
        await agent.heard(RuntimeLoaded, count=2)
        assert agent.processes() == processes


async def test_an_older_generation_changes_nothing(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await agent.send(a_load(model, generation=5))
        await agent.heard(RuntimeLoaded)
        await agent.send(a_load(model, generation=4))
        await agent.bus.settled()
        assert [i.generation for i in agent.supervisor.instances()] == [5]


async def test_a_newer_generation_takes_the_place_of_the_older(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        await agent.send(a_load(model, generation=2))
        await agent.heard(RuntimeLoaded, count=2)
        await agent.heard(RuntimeUnloaded)
        assert [i.generation for i in agent.supervisor.instances()] == [2]


async def test_unloading_what_is_not_there_is_announced_as_unloaded(tmp_path: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await agent.send(an_unload(generation=7))
        unloaded = await agent.heard(RuntimeUnloaded)
        assert unloaded.generation == 7


async def test_unload_of_an_ended_generation_is_announced_again(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded, count=2)


async def test_one_that_was_just_unloaded_is_not_announced_as_being_unloaded(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is announced before its entry is removed, which takes a moment."""
    async with a_clean_agent(tmp_path) as agent:
        journal, gate = agent.tools.journal, asyncio.Event()
        remove = journal.remove

        async def remove_later(instance_id: str) -> None:
            await gate.wait()
            await remove(instance_id)

        monkeypatch.setattr(journal, "remove", remove_later)
        await loaded(agent, model)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded, count=2)
        gate.set()


async def test_engines_of_one_device_start_one_after_the_other(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path, "--startup-delay", "0.3") as agent:
        await agent.send(a_load(model))
        await agent.send(a_load(model, model="other"))
        most = 0

        async def both_loaded() -> bool:
            nonlocal most
            most = max(most, len(agent.loading_processes()))
            return agent.kinds.count(RuntimeLoaded) == 2

        await eventually(both_loaded, "both are loaded")
        assert most == 1
