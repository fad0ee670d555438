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
    AgentHeartbeat,
    DecisionMade,
    GatewayStats,
    LoadModel,
    Message,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeUnloaded,
    RuntimeUnloading,
    UnloadModel,
)
from modelium.common.figures import DecidedAction, GatewayModelStats
from modelium.common.load_settings import Settings
from modelium.common.records import Device, Instance, InstanceState, ModelRecord
from modelium.common.testing import (
    FakeClock,
    InMemoryBus,
    InMemoryStore,
    a_descriptor,
    a_device,
    a_model_record,
)
from modelium.orchestrator.handlers import EVENT_HANDLERS, LIVE_HANDLERS
from modelium.orchestrator.owner import Owner
from modelium.orchestrator.resync import Resync
from modelium.registry import handlers as registry

GB = 1_000_000_000
NO_BRAIN: dict[str, Any] = {"modelium_brain": {"enabled": False}}
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
class Agent:
    """Carries out commands; `slow` leaves them to the test."""

    bus: InMemoryBus
    devices: tuple[Device, ...]
    agent_id: str = "local"
    slow: bool = False
    silent: bool = False
    deaf: bool = False
    overhead_bytes: int = 0
    """How much more its engines hold than was reserved."""
    engines: dict[str, Instance] = field(default_factory=dict)
    commands: list[LoadModel | UnloadModel] = field(default_factory=list)

    async def on_load_model(self, command: LoadModel) -> None:
        self.commands.append(command)
        if self.deaf or command.instance_id in self.engines:
            return
        self.engines[command.instance_id] = Instance(
            instance_id=command.instance_id,
            model=command.model,
            agent_id=self.agent_id,
            device_ids=command.device_ids,
            generation=command.generation,
            state=InstanceState.LOADING,
            fingerprint=command.fingerprint,
            reserved_bytes=command.reserve_bytes,
        )
        await self._say(RuntimeLoading, command.instance_id, reserved_bytes=command.reserve_bytes)
        if not self.slow:
            await self.finish(command.instance_id)

    async def on_unload_model(self, command: UnloadModel) -> None:
        self.commands.append(command)
        if self.deaf or command.instance_id not in self.engines:
            return
        self._become(command.instance_id, state=InstanceState.UNLOADING)
        await self._say(RuntimeUnloading, command.instance_id, reason=command.reason)
        if not self.slow:
            await self.finish(command.instance_id)

    async def finish(self, instance_id: str) -> None:
        """Let a load or an unload end well."""
        engine = self.engines[instance_id]
        if engine.state is InstanceState.UNLOADING:
            await self._say(RuntimeUnloaded, instance_id)
            del self.engines[instance_id]
        else:
            endpoint = f"http://{instance_id}"
            resident = engine.reserved_bytes + self.overhead_bytes
            self._become(
                instance_id, state=InstanceState.LOADED, endpoint=endpoint, resident_bytes=resident
            )
            await self._say(
                RuntimeLoaded,
                instance_id,
                endpoint=endpoint,
                load_s=2.0,
                reserved_bytes=engine.reserved_bytes,
                resident_bytes=resident,
                fingerprint=engine.fingerprint,
            )
        await self.beat()

    async def beat(self) -> None:
        if not self.silent:
            heartbeat = AgentHeartbeat(
                agent_id=self.agent_id,
                launcher="process",
                devices=tuple(self._measured(device) for device in self.devices),
                instances=tuple(self.engines.values()),
            )
            await self.bus.publish(heartbeat)

    def _measured(self, device: Device) -> Device:
        here = [e for e in self.engines.values() if device.device_id in e.device_ids]
        used = sum(engine.resident_bytes for engine in here)
        return device.model_copy(update={"free_bytes": device.total_bytes - used})

    def _become(self, instance_id: str, **changes: Any) -> None:
        self.engines[instance_id] = self.engines[instance_id].model_copy(update=changes)

    async def _say(self, kind: Any, instance_id: str, **fields: Any) -> None:
        engine = self.engines[instance_id]
        await self.bus.publish(
            kind(
                model=engine.model,
                instance_id=instance_id,
                agent_id=self.agent_id,
                device_ids=engine.device_ids,
                generation=engine.generation,
                **fields,
            )
        )


@dataclass
class Gateway:
    """Says what waits and what is in flight."""

    bus: InMemoryBus
    models: dict[str, GatewayModelStats] = field(default_factory=dict)
    silent: bool = False

    def says(self, model: str, **changes: Any) -> None:
        """From now on."""
        stats = {
            "model": model,
            "requests": 0,
            "failures": 0,
            "in_flight": 0,
            "waiting": 0,
            "oldest_wait_s": 0,
            "idle_s": None,
            "routed_generation": None,
        }
        self.models[model] = GatewayModelStats.model_validate(stats | changes)

    def waits_for(self, model: str, *, since_s: float = 1) -> None:
        self.says(model, waiting=1, oldest_wait_s=since_s)

    async def beat(self) -> None:
        if not self.silent:
            stats = GatewayStats(gateway_id="gw", models=tuple(self.models.values()))
            await self.bus.publish(stats)


@dataclass
class Rig:
    bus: InMemoryBus
    store: InMemoryStore
    clock: FakeClock
    agent: Agent
    gateway: Gateway
    settings: Settings
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

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
        resync = Resync(store=self.store, owner=owner, clock=self.clock)
        live, events = bind(LIVE_HANDLERS, owner=owner), bind(EVENT_HANDLERS, owner=owner)
        work = [
            resync.run(),
            resync.remind(),
            self.bus.follow(live, on_gap=resync.soon),
            self.bus.consume("orchestrator", events),
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
        short = {LoadModel: "load", UnloadModel: "unload"}
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
) -> AsyncIterator[Rig]:
    """A system in which everybody has spoken once."""
    clock = FakeClock()
    bus, store = InMemoryBus(clock=clock), InMemoryStore(clock=clock)
    for model in models:
        await store.models.save(model)
    agent = Agent(bus, devices, slow=slow)
    rig = Rig(bus, store, clock, agent, Gateway(bus), settings or some_settings())
    needs = {"store": store, "bus": bus, "clock": clock}
    orders = {LoadModel: agent.on_load_model, UnloadModel: agent.on_unload_model}
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
