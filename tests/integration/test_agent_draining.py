"""Engines are drained before they are stopped or put to sleep."""

from pathlib import Path

from modelium.common.events import (
    RuntimeUnloaded,
    RuntimeUnloading,
)
from modelium.common.records import InstanceState
from tests.agent_kit import a_sleep, an_unload, stats
from tests.integration.agents import a_clean_agent, loaded


async def test_an_engine_is_stopped_only_when_the_gateway_has_let_go(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        agent.listen_for_long()
        await agent.send(stats(routed=1))
        await agent.send(an_unload(drain_s=600))
        await agent.heard(RuntimeUnloading)
        await agent.send(stats(routed=None, serving=(1,)))
        await agent.bus.settled()
        assert [i.state for i in agent.supervisor.instances()] == [InstanceState.UNLOADING]
        await agent.send(stats(routed=None))
        await agent.heard(RuntimeUnloaded)


async def test_the_drain_deadline_ends_the_wait(tmp_path: Path, model: Path) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        await agent.send(stats(routed=1, serving=(1,)))
        await agent.send(an_unload(drain_s=0.5))
        await agent.heard(RuntimeUnloaded)


async def test_a_cpu_engine_cannot_sleep_and_the_command_says_why(
    tmp_path: Path, model: Path
) -> None:
    async with a_clean_agent(tmp_path) as agent:
        await loaded(agent, model)
        await agent.send(a_sleep())
        await agent.bus.settled()
        assert "cannot sleep" in agent.bus.dead_letters[-1].reason
