"""An orchestrator with the real registry, a scripted agent and a scripted gateway, in memory.

The agent obeys at once or when told to; the gateway's requests end when told to. Time is the
fake clock's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from modelium.common.bus import bind
from modelium.common.events import (
    DecisionMade,
    LoadModel,
    Message,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.common.figures import DecidedAction
from modelium.common.load_settings import Settings
from modelium.common.records import Device, ModelRecord, ModelState
from modelium.common.testing import (
    FakeClock,
    InMemoryBus,
    InMemoryStore,
    a_descriptor,
    a_device,
    a_model_record,
)
from modelium.orchestrator.handlers import EVENT_HANDLERS, LIVE_HANDLERS, QUESTION_HANDLERS
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync
from modelium.registry import handlers as registry
from tests.unit.orchestrator.scripted import GB, Agent, Gateway

VLLM: dict[str, Any] = {"kv_cache_bytes": GB, "overhead_bytes": GB, "max_context_tokens": 16}


def some_settings(*, brain: bool = False, **policies: Any) -> Settings:
    """Every model of a gigabyte of float32 needs three; decisions are made every ten seconds."""
    return Settings.model_validate(
        {
            "vllm": VLLM,
            "modelium_brain": {"enabled": brain},
            "orchestration": {"policies": policies, "decision_interval_seconds": 10},
        }
    )


def a_model(name: str, **changes: Any) -> ModelRecord:
    descriptor = a_descriptor(dtype="F32", weight_bytes=GB, kv_bytes_per_token=0)
    record = {"model": name, "path": f"/models/{name}", "descriptor": descriptor}
    return a_model_record(**record | changes)


def a_slot(number: int = 0, *, total: int = 4 * GB) -> Device:
    return a_device(
        device_id=f"cpu-local-{number}",
        name=f"CPU slot {number}",
        total_bytes=total,
        free_bytes=total,
    )


@dataclass
class Rig:
    bus: InMemoryBus
    store: InMemoryStore
    clock: FakeClock
    agent: Agent
    gateway: Gateway
    settings: Settings
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    """Those that were started, the last at the end."""

    async def seconds(self, count: int = 1) -> None:
        """Time goes by, with a heartbeat and stats each second."""
        for _ in range(count):
            await self.agent.beat()
            await self.gateway.beat()
            await self.clock.advance(1)
            await self.bus.settled()

    async def say(self, message: Message) -> None:
        await self.bus.publish(message)
        await self.bus.settled()
        await self.clock.advance(0)

    def start(self) -> None:
        """Start an orchestrator that knows nothing yet."""
        owner = Owner(bus=self.bus, clock=self.clock, settings=self.settings)
        self.owners.append(owner)
        resync = Resync(store=self.store, owner=owner, clock=self.clock)
        live, events = (
            bind(LIVE_HANDLERS, owner=owner, resync=resync),
            bind(EVENT_HANDLERS, owner=owner),
        )
        work = [
            resync.run(),
            resync.remind(),
            self.bus.follow(live, on_gap=resync.soon),
            self.bus.consume("orchestrator", events),
            self.bus.answer(bind(QUESTION_HANDLERS, owner=owner)),
            owner.tick(),
            owner.run(),
        ]
        self.tasks = [asyncio.ensure_future(job) for job in work]

    async def kill(self) -> None:
        """The orchestrator is gone, with all it knew."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def record(self, model: str) -> ModelRecord:
        record = await self.store.models.get(model)
        assert record is not None
        return record

    def commands(self) -> list[str]:
        """What the agent was told, in short."""
        short = {
            LoadModel: "load",
            UnloadModel: "unload",
            SleepModel: "sleep",
            WakeModel: "wake",
        }
        return [f"{short[type(c)]} {c.instance_id}" for c in self.agent.commands]

    def queue_reasons(self, model: str) -> list[str]:
        """Why it was told to wait, in order."""
        return [
            decision.reason
            for message in self.bus.of(DecisionMade)
            if isinstance(message, DecisionMade)
            for decision in message.decisions
            if decision.model == model and decision.action is DecidedAction.QUEUE
        ]


@asynccontextmanager
async def running(
    *models: ModelRecord,
    settings: Settings | None = None,
    devices: tuple[Device, ...] = (a_slot(),),
    slow: bool = False,
    sleep_memory_bytes: int = 0,
) -> AsyncIterator[Rig]:
    """A system in which everybody has spoken once."""
    clock = FakeClock()
    bus, store = InMemoryBus(clock=clock), InMemoryStore(clock=clock)
    for model in models:
        await store.models.save(model)
    agent = Agent(bus, devices, slow=slow)
    rig = Rig(bus, store, clock, agent, Gateway(bus), settings or some_settings())
    needs = {"store": store, "bus": bus, "clock": clock}
    agent.sleep_memory_bytes = sleep_memory_bytes
    orders = {
        LoadModel: agent.on_load_model,
        UnloadModel: agent.on_unload_model,
        SleepModel: agent.on_sleep_model,
        WakeModel: agent.on_wake_model,
    }
    others = [
        bus.consume("registry", bind(registry.EVENT_HANDLERS, **needs)),
        bus.follow(bind(registry.LIVE_HANDLERS, **needs)),
        bus.consume("agent-local", orders, agent_id="local"),
    ]
    helpers = [asyncio.ensure_future(job) for job in others]
    rig.start()
    await clock.advance(0)
    await rig.seconds(1)
    try:
        yield rig
    finally:
        await rig.kill()
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)


async def loaded(rig: Rig, model: str) -> None:
    """Ask for a model until it is loaded; then its request ends."""
    rig.gateway.waits_for(model)
    for _ in range(30):
        await rig.seconds(1)
        if (await rig.record(model)).state is ModelState.LOADED:
            break
    rig.gateway.says(model, requests=1, idle_s=0)
    assert (await rig.record(model)).state is ModelState.LOADED
