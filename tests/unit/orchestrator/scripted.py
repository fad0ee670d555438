"""An agent and a gateway that do and say what the test wants."""

from dataclasses import dataclass, field
from typing import Any

from modelium.common.events import (
    AgentHeartbeat,
    GatewayStats,
    LoadModel,
    RuntimeFailed,
    RuntimeLoaded,
    RuntimeLoading,
    RuntimeSleeping,
    RuntimeUnloaded,
    RuntimeUnloading,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.common.figures import GatewayModelStats
from modelium.common.records import Device, EngineMemory, FailureKind, Instance, InstanceState
from modelium.common.testing import (
    InMemoryBus,
)

GB = 1_000_000_000


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
    load_s: float = 2.0
    """What it says its loads took."""
    sleep_memory_bytes: int = 0
    asleep_bytes: int = GB // 10
    outside_bytes: int = 0
    """What others hold of each device."""
    engine: str = "vllm-1.0"
    engines: dict[str, Instance] = field(default_factory=dict)
    commands: list[LoadModel | UnloadModel | SleepModel | WakeModel] = field(default_factory=list)

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
            memory=EngineMemory(
                engine=self.engine,
                device_kind=self.devices[0].kind,
                weight_bytes=command.weight_bytes,
                kv_cache_bytes=command.kv_cache_bytes,
            ),
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

    async def on_sleep_model(self, command: SleepModel) -> None:
        self.commands.append(command)
        if self.deaf or command.instance_id not in self.engines:
            return
        self._become(command.instance_id, state=InstanceState.UNLOADING, sleep_level=command.level)
        await self._say(RuntimeUnloading, command.instance_id, reason="it is put to sleep")
        if not self.slow:
            await self.finish(command.instance_id)

    async def on_wake_model(self, command: WakeModel) -> None:
        self.commands.append(command)
        if self.deaf or command.instance_id not in self.engines:
            return
        self._become(command.instance_id, state=InstanceState.LOADING, sleep_level=0)
        reserved = self.engines[command.instance_id].reserved_bytes
        await self._say(RuntimeLoading, command.instance_id, reserved_bytes=reserved)
        if not self.slow:
            await self.finish(command.instance_id)

    async def finish(self, instance_id: str) -> None:
        """Let a load, an unload, a sleep or a wake end well."""
        engine = self.engines[instance_id]
        if engine.sleep_level:
            level, kept = engine.sleep_level, self.asleep_bytes
            self._become(instance_id, state=InstanceState.SLEEPING, resident_bytes=kept)
            await self._say(
                RuntimeSleeping, instance_id, sleep_level=level, resident_bytes=kept, wake_s=1.0
            )
        elif engine.state is InstanceState.UNLOADING:
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
                load_s=self.load_s,
                reserved_bytes=engine.reserved_bytes,
                resident_bytes=resident,
                fingerprint=engine.fingerprint,
                memory=engine.memory,
            )
        await self.beat()

    async def fail(self, instance_id: str, kind: FailureKind) -> None:
        """Let an engine end by itself."""
        engine = self.engines[instance_id]
        await self._say(
            RuntimeFailed,
            instance_id,
            kind=kind,
            reason="as the test says",
            fingerprint=engine.fingerprint,
            reserved_bytes=engine.reserved_bytes,
            memory=engine.memory,
        )
        del self.engines[instance_id]
        await self.beat()

    async def beat(self) -> None:
        if not self.silent:
            heartbeat = AgentHeartbeat(
                agent_id=self.agent_id,
                launcher="process",
                devices=tuple(self._measured(device) for device in self.devices),
                instances=tuple(self.engines.values()),
                sleep_memory_bytes=self.sleep_memory_bytes,
            )
            await self.bus.publish(heartbeat)

    def _measured(self, device: Device) -> Device:
        here = [e for e in self.engines.values() if device.device_id in e.device_ids]
        used = self.outside_bytes + sum(engine.resident_bytes for engine in here)
        return device.model_copy(update={"free_bytes": device.total_bytes - used})

    def _become(self, instance_id: str, **changes: Any) -> None:
        self.engines[instance_id] = self.engines[instance_id].model_copy(update=changes)

    async def _say(self, kind: Any, instance_id: str, /, **fields: Any) -> None:
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
            "routed_generations": (),
        }
        self.models[model] = GatewayModelStats.model_validate(stats | changes)

    def waits_for(self, model: str, *, since_s: float = 1) -> None:
        self.says(model, waiting=1, oldest_wait_s=since_s)

    async def beat(self) -> None:
        if not self.silent:
            stats = GatewayStats(gateway_id="gw", models=tuple(self.models.values()))
            await self.bus.publish(stats)
