"""Real vLLM is told to sleep and to wake, and answers with the same tokens afterwards.

On a CPU it does all that but free its memory, which is measured on GPUs only.
"""

import os
from pathlib import Path

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.descriptor import Task
from modelium.common.events import RuntimeFailed, RuntimeLoaded, RuntimeSleeping, RuntimeUnloaded
from modelium.common.records import DeviceKind
from modelium.runtime_agent.engine_http import EngineHttp, NoAnswer
from modelium.runtime_agent.journal import Journal
from modelium.runtime_agent.runtimes.vllm import VllmRuntime
from modelium.runtime_agent.runtimes.vllm_canary import CANARY_TOKENS
from tests.agent_kit import a_load, a_sleep, a_wake, an_unload, eventually
from tests.integration.agents import RunningAgent, a_clean_agent

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
START_S = 240.0


class _SleepsOnACpu(VllmRuntime):
    def can_sleep(self, kind: DeviceKind, task: Task) -> bool:
        return True


async def test_an_engine_that_was_woken_answers_as_before(tmp_path: Path) -> None:
    named = os.environ.get("MODELIUM_VLLM_PYTHON")
    if not named:
        pytest.skip("MODELIUM_VLLM_PYTHON names no interpreter with vLLM")
    write_sample_model(tmp_path / "qwen")
    async with a_clean_agent(tmp_path, python=Path(named), runtime=_SleepsOnACpu) as agent:
        await agent.send(a_load(tmp_path / "qwen"))
        loaded = await _loaded(agent, 1)
        agent.listen_for_long()
        assert len((await _answer(agent)).split()) == CANARY_TOKENS
        for round_, level in enumerate((1, 2), start=1):
            await agent.send(a_sleep(level=level, drain_s=5.0))
            await agent.heard(RuntimeSleeping, count=round_)
            await _hangs(loaded.endpoint)
            await agent.send(a_wake())
            assert (await _loaded(agent, 1 + round_)).wake_s is not None
        await agent.send(a_sleep(drain_s=5.0))
        await agent.heard(RuntimeSleeping, count=3)
        await agent.send(an_unload())
        await agent.heard(RuntimeUnloaded, within_s=60)
        assert agent.processes() == []


async def _loaded(agent: RunningAgent, count: int) -> RuntimeLoaded:
    async def has_come_to_an_end() -> bool:
        return agent.kinds.count(RuntimeLoaded) >= count or RuntimeFailed in agent.kinds

    await eventually(has_come_to_an_end, "it is loaded, or failed", within_s=START_S)
    failures = [event.reason for event in agent.events if isinstance(event, RuntimeFailed)]
    assert failures == []
    return await agent.heard(RuntimeLoaded, count=count)


async def _answer(agent: RunningAgent) -> str:
    """To the first test request, as it was noted."""
    (entry,) = await Journal(agent.folder / "journal").entries()
    return entry.answer


async def _hangs(endpoint: str) -> None:
    http = EngineHttp()
    body = {"model": "qwen", "prompt": "x", "max_tokens": 1}
    assert (await http.ask("GET", f"{endpoint}/health", timeout_s=10)).status == 200
    with pytest.raises(NoAnswer, match="no answer"):
        await http.ask("POST", f"{endpoint}/v1/completions", timeout_s=2, body=body)
    await http.close()
