"""Engines that sleep on a GPU, with the traps of the real ones; the stub stands in for both."""

import signal
from pathlib import Path

import pytest

from modelium.common.descriptor import Task
from modelium.common.events import (
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloaded,
    RuntimeUnloading,
)
from modelium.common.records import FailureKind, InstanceState
from modelium.common.testing import a_descriptor
from modelium.runtime_agent.engine_http import NoAnswer
from tests.agent_kit import MIB, a_load, a_sleep, a_wake, an_unload, eventually, is_alive
from tests.integration.agents import GPU_BYTES, RunningAgent, an_agent
from tests.integration.sleepers import (
    ASLEEP,
    HELD,
    ON_GPU,
    STUB,
    a_sleepy_agent,
    an_http,
    free_bytes,
    load_on_gpu,
    patience,
    put_to_sleep,
    trapped,
)


@pytest.mark.parametrize("level", [1, 2])
async def test_an_engine_sleeps_and_wakes_and_its_memory_is_measured(
    tmp_path: Path, model: Path, level: int
) -> None:
    async with a_sleepy_agent(tmp_path) as agent:
        loaded = await load_on_gpu(agent, model)
        assert (loaded.resident_bytes, loaded.wake_s) == (HELD, None)
        await agent.send(a_sleep(level=level, drain_s=5.0))
        sleeping = await agent.heard(RuntimeSleeping)
        assert (sleeping.sleep_level, sleeping.resident_bytes) == (level, ASLEEP)
        assert (sleeping.reserved_bytes, sleeping.fingerprint) == (500 * MIB, "f1")
        assert await free_bytes(agent) == GPU_BYTES - ASLEEP
        (seen,) = agent.supervisor.instances()
        assert (seen.state, seen.sleep_level) == (InstanceState.SLEEPING, level)
        await agent.send(a_wake())
        awake = await agent.heard(RuntimeLoaded, count=2)
        assert awake.resident_bytes == HELD
        assert awake.wake_s is not None
        assert (awake.load_s, awake.endpoint) == (loaded.load_s, loaded.endpoint)
        assert [i.sleep_level for i in agent.supervisor.instances()] == [0]
        assert agent.kinds == [
            RuntimeLoading,
            RuntimeLoaded,
            RuntimeUnloading,
            RuntimeSleeping,
            RuntimeLoading,
            RuntimeLoaded,
        ]


async def test_two_models_that_do_not_fit_together_take_turns_by_sleeping(
    tmp_path: Path, model: Path
) -> None:
    """The second was refused for what the first had been promised when it was loaded."""
    async with a_sleepy_agent(tmp_path) as agent:
        await put_to_sleep(agent, model)
        sizes = {**ON_GPU, "reserve_bytes": 900 * MIB, "kv_cache_bytes": 120 * MIB}
        await agent.send(a_load(model, model="other", **sizes))
        assert (await agent.heard(RuntimeLoaded, count=2)).model == "other"
        await agent.send(a_wake())
        assert (await agent.heard(RuntimeSleeping, count=2)).model == "qwen"  # sleeps on
        other = {"model": "other", "instance_id": "other.1"}
        await agent.send(a_sleep(drain_s=5.0).model_copy(update=other))
        assert (await agent.heard(RuntimeSleeping, count=3)).model == "other"
        await agent.send(a_wake().model_copy(update={"message_id": "again"}))
        assert (await agent.heard(RuntimeLoaded, count=3)).model == "qwen"
        assert RuntimeFailed not in agent.kinds


async def test_commands_to_sleep_or_wake_that_come_twice_change_nothing(
    tmp_path: Path, model: Path
) -> None:
    async with a_sleepy_agent(tmp_path) as agent:
        await put_to_sleep(agent, model)
        await agent.send(a_sleep(level=2))
        assert (await agent.heard(RuntimeSleeping, count=2)).sleep_level == 1
        await agent.send(a_wake())
        await agent.heard(RuntimeLoaded, count=2)
        await agent.send(a_wake())
        again = await agent.heard(RuntimeLoaded, count=3)
        assert agent.kinds.count(RuntimeLoading) == 2
        assert again.resident_bytes == HELD


@pytest.mark.parametrize(
    ("trap", "reason"),
    [
        ("sleep-hangs", "did not fall asleep: /sleep failed: no answer within"),
        ("keeps-memory", "has freed 80 MiB of a device, 180 MiB were the least"),
        ("says-it-is-awake", "/is_sleeping says False afterwards"),
    ],
)
async def test_an_engine_that_does_not_sleep_is_ended_and_says_why(
    tmp_path: Path, model: Path, trap: str, reason: str
) -> None:
    async with trapped(tmp_path, trap) as agent:
        await load_on_gpu(agent, model)
        patience(agent, 0.5)
        await agent.send(a_sleep(drain_s=5.0))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.SLEEP_FAILED
        assert reason in failed.reason
        assert failed.log_tail
        assert RuntimeSleeping not in agent.kinds
        assert agent.processes() == []
        assert await free_bytes(agent) == GPU_BYTES


@pytest.mark.parametrize(
    ("trap", "level", "reason"),
    [
        ("wake-hangs", 1, "did not wake: /wake_up failed: no answer within"),
        ("wake-fails", 1, "did not wake: /wake_up was answered 500"),
        ("dies-on-wake", 1, "did not wake: /wake_up failed: the connection broke"),
        ("wrong-after-wake", 1, "answers its test request otherwise than before it slept"),
        ("wrong-after-wake", 2, "answers its test request otherwise than before it slept"),
        ("hangs-after-wake", 2, "does not work since it slept: /v1/completions failed"),
    ],
)
async def test_an_engine_that_does_not_wake_as_it_was_is_ended_and_says_why(
    tmp_path: Path, model: Path, trap: str, level: int, reason: str
) -> None:
    async with trapped(tmp_path, trap) as agent:
        await put_to_sleep(agent, model, level=level)
        patience(agent, 0.5)
        await agent.send(a_wake())
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.SLEEP_FAILED
        assert reason in failed.reason
        assert agent.kinds.count(RuntimeLoaded) == 1
        assert agent.processes() == []
        assert await free_bytes(agent) == GPU_BYTES


async def test_a_sleep_that_requests_keep_from_ending_is_no_fault_of_the_engine(
    tmp_path: Path, model: Path
) -> None:
    async with trapped(tmp_path, "sleep-hangs") as agent:
        await load_on_gpu(agent, model)
        patience(agent, 0.5)
        await agent.send(a_sleep(drain_s=0.0))  # the deadline is over at once
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CANCELLED


async def test_an_engine_that_was_started_without_sleep_mode_is_ended_without_blame(
    tmp_path: Path, model: Path
) -> None:
    async with an_agent(tmp_path, *STUB, on_gpu=True) as before:
        await load_on_gpu(before, model)
    async with a_sleepy_agent(tmp_path) as agent:
        await agent.heard(RuntimeLoaded)
        agent.listen_for_long()
        await agent.send(a_sleep(drain_s=5.0))
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CANCELLED
        assert "started without sleep mode" in failed.reason


async def test_an_engine_that_pools_is_never_put_to_sleep(tmp_path: Path, model: Path) -> None:
    async with a_sleepy_agent(tmp_path) as agent:
        pools = a_descriptor(task=Task.EMBEDDING, architecture="BertModel")
        await agent.send(a_load(model, descriptor=pools, **ON_GPU))
        await agent.heard(RuntimeLoaded)
        await agent.send(a_sleep())
        await agent.bus.settled()
        assert "for embedding cannot sleep" in agent.bus.dead_letters[-1].reason
        assert [i.state for i in agent.supervisor.instances()] == [InstanceState.LOADED]


async def test_a_request_to_a_sleeping_engine_hangs_though_its_health_is_fine(
    tmp_path: Path, model: Path
) -> None:
    """The trap for which nothing may be routed to it, and nothing be concluded from health."""
    async with a_sleepy_agent(tmp_path) as agent, an_http() as http:
        await put_to_sleep(agent, model)
        (seen,) = agent.supervisor.instances()
        assert (await http.ask("GET", f"{seen.endpoint}/health", timeout_s=5)).status == 200
        body = {"model": "qwen", "prompt": "x", "max_tokens": 1}
        with pytest.raises(NoAnswer, match="no answer"):
            await http.ask("POST", f"{seen.endpoint}/v1/completions", timeout_s=0.5, body=body)


async def test_an_engine_that_dies_asleep_is_noticed(tmp_path: Path, model: Path) -> None:
    async with a_sleepy_agent(tmp_path) as agent:
        await put_to_sleep(agent, model)
        (server,) = agent.processes()
        server.send_signal(signal.SIGKILL)
        failed = await agent.heard(RuntimeFailed)
        assert failed.kind is FailureKind.CRASHED


async def test_a_sleeping_engine_is_unloaded(tmp_path: Path, model: Path) -> None:
    async with a_sleepy_agent(tmp_path, "--child") as agent:
        await put_to_sleep(agent, model)
        processes = agent.processes()
        await agent.send(an_unload(drain_s=600))  # no gateway uses it: nothing to wait for
        await agent.heard(RuntimeUnloaded)
        assert not any(is_alive(p) for p in processes)
        assert await free_bytes(agent) == GPU_BYTES


@pytest.mark.parametrize("trap", ["sleep-hangs", "wake-hangs"])
async def test_an_unload_does_not_wait_for_an_order_that_hangs(
    tmp_path: Path, model: Path, trap: str
) -> None:
    async with trapped(tmp_path, trap) as agent:
        if trap == "sleep-hangs":
            await load_on_gpu(agent, model)
            await agent.send(a_sleep(drain_s=5.0))
            await eventually(lambda: _is_ordered(agent, 1), "it is told to sleep")
        else:
            await put_to_sleep(agent, model)
            await agent.send(a_wake())
            await agent.heard(RuntimeLoading, count=2)
        await agent.send(an_unload(drain_s=600))
        await agent.heard(RuntimeUnloaded)
        assert agent.processes() == []


async def _is_ordered(agent: RunningAgent, level: int) -> bool:
    return [i.sleep_level for i in agent.supervisor.instances()] == [level]
