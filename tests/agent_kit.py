"""What tests of the runtime agent share: waiting for the real world, and commands to an agent."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

from modelium.common.bus import A, Handlers
from modelium.common.clock import SystemClock
from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import (
    GatewayStats,
    LoadModel,
    Message,
    Question,
    RuntimeEvent,
    SleepModel,
    UnloadModel,
    WakeModel,
)
from modelium.common.figures import GatewayModelStats
from modelium.common.records import DeviceKind, InstanceId, instance_id
from modelium.common.testing import InMemoryBus, a_descriptor
from modelium.common.testing.event_log import InMemoryEventLog
from modelium.runtime_agent.launcher import EngineRecord

MIB = 1 << 20

E = TypeVar("E", bound=RuntimeEvent)


async def eventually(
    condition: Callable[[], Awaitable[bool]], what: str, *, within_s: float = 30.0
) -> None:
    """Wait for something that other processes do and nobody announces."""
    clock = SystemClock()
    try:
        async with asyncio.timeout(within_s):
            while not await condition():
                await clock.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}") from None


async def heard(bus: InMemoryBus, kind: type[E], *, count: int = 1, within_s: float = 30.0) -> E:
    """The newest event of `kind` that an agent has published, once there are `count` of them."""

    def events() -> list[RuntimeEvent]:
        return [message for message in bus.published if isinstance(message, RuntimeEvent)]

    async def is_there() -> bool:
        return sum(isinstance(event, kind) for event in events()) >= count

    what = f"{kind.__name__} x {count} on the bus"
    await eventually(is_there, what, within_s=within_s)
    return next(event for event in reversed(events()) if isinstance(event, kind))


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie waits for its parent only, and holds nothing."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def a_record(model: str = "qwen", *, agent: str = "local", generation: int = 1) -> EngineRecord:
    """Of an engine on a CPU slot."""
    return EngineRecord(
        model=model,
        generation=generation,
        agent_id=agent,
        device_ids=(f"cpu-{agent}-0",),
        device_kind=DeviceKind.CPU,
        runtime=RuntimeKind.VLLM,
        task=Task.CHAT,
        fingerprint="f1",
        reserved_bytes=256 * MIB,
    )


def a_load(path: Path, *, model: str = "qwen", generation: int = 1, **changes: Any) -> LoadModel:
    """A command to load a small chat model on the first CPU slot of the agent `local`."""
    return LoadModel.model_validate(
        {
            "agent_id": "local",
            "model": model,
            "instance_id": instance_id(model, generation),
            "generation": generation,
            "device_ids": ("cpu-local-0",),
            "path": str(path),
            "fingerprint": "f1",
            "descriptor": a_descriptor(),
            "reserve_bytes": 3072 * MIB,
            "kv_cache_bytes": 64 * MIB,
            "context_length": 256,
        }
        | changes
    )


def an_unload(*, model: str = "qwen", generation: int = 1, drain_s: float = 0.0) -> UnloadModel:
    """A command to unload it."""
    return UnloadModel(
        agent_id="local",
        model=model,
        instance_id=InstanceId(f"{model}.{generation}"),
        generation=generation,
        reason="another model needs the memory",
        drain_deadline_s=drain_s,
    )


def a_sleep(*, level: int = 1, drain_s: float = 0.0) -> SleepModel:
    """A command to put it to sleep."""
    return SleepModel.model_validate(
        {**_QWEN, "level": level, "drain_deadline_s": drain_s},
    )


def a_wake() -> WakeModel:
    """A command to wake it."""
    return WakeModel.model_validate(_QWEN)


_QWEN = {"agent_id": "local", "model": "qwen", "instance_id": "qwen.1", "generation": 1}


class AwayBus:
    """NATS is away until the test says otherwise."""

    def __init__(self) -> None:
        self.connected = False
        self.published: list[Message] = []
        self.events = InMemoryEventLog()

    async def publish(self, message: Message) -> None:
        if not self.connected:
            raise DependencyUnavailable("NATS is away", "Start it.")
        self.published.append(message)

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        raise NotImplementedError

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        raise NotImplementedError

    async def ask(self, question: Question, answer: type[A], *, timeout_s: float) -> A:
        raise NotImplementedError

    async def ask_all(
        self, question: Question, answer: type[A], *, most: int, timeout_s: float
    ) -> list[A]:
        raise NotImplementedError

    async def answer(self, handlers: Handlers) -> None:
        raise NotImplementedError


def stats(
    gateway: str = "g1",
    *,
    routed: int | tuple[int, ...] | None = None,
    serving: tuple[int, ...] = (),
) -> GatewayStats:
    """What a gateway says of `qwen`: where new requests go, and which generations serve."""
    if not isinstance(routed, tuple):
        routed = () if routed is None else (routed,)
    model = GatewayModelStats(
        model="qwen",
        requests=0,
        failures=0,
        in_flight=len(serving),
        waiting=0,
        oldest_wait_s=0,
        idle_s=None,
        routed_generations=routed,
        in_flight_generations=dict.fromkeys(serving, 1),
    )
    return GatewayStats(gateway_id=gateway, models=(model,))
