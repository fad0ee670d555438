"""How fast a request for a cold model moves: to the command, and from the loaded engine on.

Real NATS, Redis, registry, brain, orchestrator and gateway. The agent is played by this process: it
says that the engine is loaded as soon as it is told to load, so that no engine's start is measured.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.load.engine import ANSWER
from modelium.common import events as ev
from modelium.common.bus import Handlers
from modelium.common.clock import SystemClock
from modelium.common.nats_bus import NatsBus
from modelium.common.records import Instance, InstanceState, ModelState
from modelium.common.redis_store import RedisStore
from modelium.common.settings import GIB
from modelium.common.testing import a_descriptor, a_device
from tests.system import SERVERS, System, free_port

SERVICES: Final = ("registry", "brain", "orchestrator", "gateway")
AGENT: Final = "bench"
BEAT_S: Final = 0.3
ANALYSED_S: Final = 60.0


@dataclass
class Times:
    """When each model's request passed which point, in monotonic seconds."""

    asked: dict[str, float] = field(default_factory=dict)
    commanded: dict[str, float] = field(default_factory=dict)
    loaded: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)

    def to_command_ms(self) -> list[float]:
        """First request for a cold model to the command at the agent."""
        return [(self.commanded[m] - at) * 1000 for m, at in self.asked.items()]

    def to_engine_ms(self) -> list[float]:
        """The agent says that the engine is ready to the held request at the engine."""
        return [(self.arrived[m] - at) * 1000 for m, at in self.loaded.items()]


class Agent:
    """Carries out a load at once."""

    def __init__(self, bus: NatsBus, times: Times, endpoint: str, memory_bytes: int) -> None:
        self._bus = bus
        self._times = times
        self._endpoint = endpoint
        self._device = a_device(
            device_id="cpu-bench-0", total_bytes=memory_bytes, free_bytes=memory_bytes
        )
        self._engines: dict[str, Instance] = {}

    async def on_load_model(self, command: ev.LoadModel) -> None:
        """Say loading, then loaded."""
        self._times.commanded.setdefault(command.model, time.monotonic())
        said = {
            "model": command.model,
            "instance_id": command.instance_id,
            "agent_id": AGENT,
            "device_ids": command.device_ids,
            "generation": command.generation,
            "reserved_bytes": command.reserve_bytes,
        }
        await self._bus.publish(ev.RuntimeLoading.model_validate(said))
        said |= {"endpoint": self._endpoint, "resident_bytes": command.reserve_bytes}
        said |= {"fingerprint": command.fingerprint, "load_s": 1.0}
        self._engines[command.model] = Instance.model_validate(
            {**said, "state": InstanceState.LOADED}
        )
        self._times.loaded[command.model] = time.monotonic()
        await self._bus.publish(ev.RuntimeLoaded.model_validate(said))

    async def beat(self) -> None:
        """Say what is there, until cancelled."""
        clock = SystemClock()
        while True:
            used = sum(engine.resident_bytes for engine in self._engines.values())
            free = self._device.total_bytes - used
            await self._bus.publish(
                ev.AgentHeartbeat(
                    agent_id=AGENT,
                    launcher="process",
                    devices=(self._device.model_copy(update={"free_bytes": free}),),
                    instances=tuple(self._engines.values()),
                )
            )
            await clock.sleep(BEAT_S)


class Engine(asyncio.Protocol):
    """Notes when a request arrives, and for which model."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        _, _, content = self._seen.partition(b"\r\n\r\n")
        if content.endswith(b"}"):
            name = content.partition(b'"model": "')[2].partition(b'"')[0].decode()
            self._times.arrived.setdefault(name, time.monotonic())
            self._seen = b""
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


@asynccontextmanager
async def outside(system: System, times: Times, rounds: int) -> AsyncIterator[NatsBus]:
    """The agent and its engine, with memory for all models of the run."""
    port = free_port()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Engine(times), "127.0.0.1", port)
    bus = NatsBus(f"nats://127.0.0.1:{system.ports['nats']}", source="bench")
    await bus.open(timeout_s=10)
    agent = Agent(bus, times, f"http://127.0.0.1:{port}", (rounds + 2) * 8 * GIB)
    orders: Handlers = {ev.LoadModel: agent.on_load_model}
    work = [
        asyncio.ensure_future(bus.consume(f"agent-{AGENT}", orders, agent_id=AGENT)),
        asyncio.ensure_future(agent.beat()),
    ]
    try:
        yield bus
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await bus.close()
        server.close()


async def _announce(system: System, bus: NatsBus, models: list[str]) -> None:
    """As the watcher would; returns once all may be asked for."""
    for model in models:
        about = {"path": f"/models/{model}", "fingerprint": "f1", "size_bytes": 1}
        found = {"model": model, **about}
        await bus.publish(ev.ModelDiscovered.model_validate(found))
        await bus.publish(ev.ModelAnalyzed.model_validate({**found, "descriptor": a_descriptor()}))
    store = RedisStore(f"redis://127.0.0.1:{system.ports['redis']}/0")
    clock = SystemClock()
    async with asyncio.timeout(ANALYSED_S):
        while True:
            known = await store.models.all()
            if sum(record.state is ModelState.UNLOADED for record in known) == len(models):
                break
            await clock.sleep(0.05)
        await clock.sleep(1.0)  # the brain plans each of them; not what is measured here
    await store.close()


async def _rounds(system: System, rounds: int) -> Times:
    times = Times()
    models = [f"cold-{number}" for number in range(rounds)]
    async with outside(system, times, rounds) as bus, aiohttp.ClientSession(system.url) as http:
        await _announce(system, bus, models)
        for model in models:
            body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
            times.asked[model] = time.monotonic()
            async with http.post("/v1/chat/completions", json=body) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"HTTP {answer.status}: {await answer.text()}")
                await answer.read()
    return times


def control_plane(folder: Path, rounds: int) -> Times:
    """So many cold models, one after the other."""
    system = System(folder, engine_python=Path(os.devnull))
    try:
        system.start(*SERVERS, *SERVICES)
        return asyncio.run(_rounds(system, rounds))
    finally:
        system.stop()
