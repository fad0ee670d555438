"""What one round of the orchestrator costs: news of a gateway, a snapshot, a decision."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from benchmarks.policy.speed import DEVICES, GB, MODELS, WAITING
from modelium.common.events import AgentHeartbeat, GatewayStats
from modelium.common.figures import GatewayModelStats
from modelium.common.load_settings import Settings
from modelium.common.records import (
    Device,
    DeviceKind,
    Instance,
    InstanceState,
    ModelRecord,
    ModelState,
)
from modelium.common.testing import FakeClock, InMemoryBus, a_descriptor, a_model_record
from modelium.orchestrator.owner import Owner, Resynced

LOADED: Final = 4 * DEVICES
ROUNDS, REPEATS = 20, 5
SIZE: Final = 19 * GB


def line() -> str:
    """The best of some, in milliseconds of CPU."""
    best_s = min(asyncio.run(_round_s()) for _ in range(REPEATS))
    return f"A round of the orchestrator with as many: {best_s * 1e3:.1f} milliseconds of CPU."


async def _round_s() -> float:
    clock = FakeClock()
    bus = InMemoryBus(clock=clock)
    owner = Owner(bus=bus, clock=clock, settings=Settings.model_validate({}))
    owner.post(Resynced(list(_records(clock)), ["local"], ()))
    owner.post(_heartbeat())
    running = asyncio.ensure_future(owner.run())
    first, *news = [_stats(number) for number in range(ROUNDS + 1)]
    await _round(owner, clock, first)
    began_s = time.process_time()
    for stats in news:
        await _round(owner, clock, stats)
    took_s = time.process_time() - began_s
    running.cancel()
    return took_s / ROUNDS


async def _round(owner: Owner, clock: FakeClock, stats: GatewayStats) -> None:
    owner.post(stats)
    await clock.advance(0.01)


def _records(clock: FakeClock) -> Iterator[ModelRecord]:
    loaded_at = clock.now() - timedelta(hours=1)
    for number in range(MODELS):
        record = a_model_record(
            model=_name(number),
            state=ModelState.UNLOADED,
            descriptor=a_descriptor(weight_bytes=SIZE - 4 * GB),
            load_s=30.0,
        )
        if number >= LOADED:
            yield record
            continue
        engine = {"generation": 1, "instance_id": f"{_name(number)}.1", "agent_id": "local"}
        where = {"device_ids": (_device(number),), "reserved_bytes": SIZE, "loaded_at": loaded_at}
        yield record.model_copy(update={"state": ModelState.LOADED, **engine, **where})


def _heartbeat() -> AgentHeartbeat:
    devices = tuple(
        Device(
            device_id=_device(number),
            kind=DeviceKind.CUDA,
            name=f"GPU {number}",
            total_bytes=80 * GB,
            free_bytes=2 * GB,
        )
        for number in range(DEVICES)
    )
    engines = tuple(
        Instance(
            instance_id=f"{_name(number)}.1",
            model=_name(number),
            agent_id="local",
            device_ids=(_device(number),),
            generation=1,
            state=InstanceState.LOADED,
            reserved_bytes=SIZE,
            resident_bytes=SIZE,
        )
        for number in range(LOADED)
    )
    return AgentHeartbeat(agent_id="local", launcher="docker", devices=devices, instances=engines)


def _stats(number: int) -> GatewayStats:
    """All have been used, some are waited for."""
    return GatewayStats(
        gateway_id="gateway",
        models=tuple(
            GatewayModelStats(
                model=_name(model),
                requests=number,
                failures=0,
                in_flight=2 if model < LOADED else 0,
                waiting=1 if LOADED <= model < LOADED + WAITING else 0,
                oldest_wait_s=1.0 if LOADED <= model < LOADED + WAITING else 0.0,
                idle_s=None if model < LOADED else float(model),
                routed_generations=(1,) if model < LOADED else (),
            )
            for model in range(MODELS)
        ),
    )


def _name(number: int) -> str:
    return f"model-{number}"


def _device(number: int) -> str:
    return f"gpu-{number % DEVICES}"
