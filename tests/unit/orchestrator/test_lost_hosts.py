"""Two agents, one of which is lost with its host and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from modelium.common.events import LoadModel, UnloadModel
from modelium.common.records import ModelState
from tests.unit.orchestrator.rig import Rig, a_model, a_slot, running, some_settings
from tests.unit.orchestrator.scripted import GB, Agent


@dataclass
class _Hosts:
    """`far` has the bigger device, so models are placed there first."""

    rig: Rig
    far: Agent
    hearing: asyncio.Future[None] | None = None

    def hears(self) -> None:
        orders = {LoadModel: self.far.on_load_model, UnloadModel: self.far.on_unload_model}
        work = self.rig.bus.consume("agent-far", orders, agent_id="far")
        self.hearing = asyncio.ensure_future(work)

    async def cut_off(self) -> None:
        """No command reaches the agent; heartbeats still may come."""
        if self.hearing is not None:
            self.hearing.cancel()
            await asyncio.wait([self.hearing])

    async def lost(self) -> None:
        self.far.silent = True
        await self.cut_off()

    def back(self) -> None:
        self.far.silent = False
        self.hears()

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            await self.far.beat()
            await self.rig.seconds(1)

    def commands_to_far(self) -> list[str]:
        short = {LoadModel: "load", UnloadModel: "unload"}
        return [f"{short[type(c)]} {c.instance_id}" for c in self.far.commands]


@asynccontextmanager
async def _hosts(**policies: Any) -> AsyncIterator[_Hosts]:
    async with running(a_model("a"), settings=some_settings(**policies)) as rig:
        device = a_slot(total=5 * GB).model_copy(update={"device_id": "cpu-far-0"})
        hosts = _Hosts(rig, Agent(rig.bus, (device,), agent_id="far"))
        hosts.hears()
        await hosts.seconds(2)
        rig.gateway.waits_for("a")
        try:
            yield hosts
        finally:
            await hosts.cut_off()


async def test_a_model_of_a_lost_host_is_loaded_elsewhere_without_a_penalty() -> None:
    async with _hosts() as hosts:
        await hosts.seconds(2)
        assert hosts.commands_to_far() == ["load a.1"]
        await hosts.lost()
        await hosts.seconds(12)
        record = await hosts.rig.record("a")
        assert (record.state, record.agent_id, record.generation) == (ModelState.LOADED, "local", 2)
        assert record.failures == 0


async def test_an_engine_of_a_host_that_comes_back_is_stopped_when_it_was_replaced() -> None:
    async with _hosts() as hosts:
        await hosts.seconds(2)
        await hosts.lost()
        await hosts.seconds(12)
        hosts.back()
        await hosts.seconds(8)
        assert hosts.commands_to_far() == ["load a.1", "unload a.1"]
        assert hosts.far.engines == {}
        assert hosts.rig.commands() == ["load a.2"]
        record = await hosts.rig.record("a")
        assert (record.state, record.instance_id) == (ModelState.LOADED, "a.2")


async def test_a_load_that_waited_for_a_lost_host_is_stopped_when_it_was_replaced() -> None:
    async with _hosts() as hosts:
        hosts.far.slow = True
        await hosts.cut_off()
        await hosts.seconds(2)
        await hosts.lost()
        await hosts.seconds(12)
        assert (await hosts.rig.record("a")).instance_id == "a.2"
        hosts.back()
        await hosts.seconds(8)
        assert hosts.commands_to_far()[-1] == "unload a.1"
        assert set(hosts.commands_to_far()) == {"load a.1", "unload a.1"}
        await hosts.far.finish("a.1")
        await hosts.seconds(10)
        assert hosts.commands_to_far()[-1] == "unload a.1"
        assert (await hosts.rig.record("a")).instance_id == "a.2"
        assert hosts.rig.commands() == ["load a.2"]


async def test_a_host_that_is_lost_with_one_of_two_engines_leaves_the_model_to_the_other() -> None:
    policies = {"max_engines_per_model": 2, "copy_above_requests": 4, "copy_after_seconds": 5}
    async with _hosts(**policies) as hosts:
        gateway = hosts.rig.gateway
        await hosts.seconds(2)
        gateway.says("a", requests=1, in_flight=9, in_flight_generations={1: 9}, idle_s=0)
        await hosts.seconds(10)
        assert (hosts.commands_to_far(), hosts.rig.commands()) == (["load a.1"], ["load a.2"])
        await hosts.lost()
        gateway.says("a", requests=9, in_flight=1, in_flight_generations={2: 1}, idle_s=0)
        await hosts.seconds(15)
        record = await hosts.rig.record("a")
        assert (record.state, record.agent_id, record.copies) == (ModelState.LOADED, "local", ())
        hosts.back()
        await hosts.seconds(8)
        assert hosts.commands_to_far() == ["load a.1", "unload a.1"]
        assert (await hosts.rig.record("a")).agent_id == "local"
