"""The brain as a process on real NATS while the language model that it asks says nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modelium.common import events as ev
from modelium.common.advice import BrainStatus
from modelium.common.clock import SystemClock
from modelium.common.nats_bus import NatsBus
from tests.e2e.hostile_brains import HostileEndpoint
from tests.system import System, stub_python
from tests.unit.brain.kit import cold, figures, tick
from tests.unit.orchestrator.scripted import Gateway

WAIT_S = 60.0
PAUSE_S = 0.1
CLOCK = SystemClock()


@pytest.fixture
def endpoint() -> Iterator[HostileEndpoint]:
    with HostileEndpoint() as served:
        served.brain = "hung"
        yield served


@pytest.fixture
def system(tmp_path: Path, endpoint: HostileEndpoint) -> Iterator[System]:
    brain = {"backend": "openai", "endpoint": endpoint.url, "deadline_seconds": 2 * WAIT_S}
    system = System(
        tmp_path / "system",
        engine_python=stub_python(tmp_path),
        settings={"modelium_brain": brain},
    )
    try:
        system.start("nats", "redis", "brain")
        yield system
    finally:
        system.stop()


@asynccontextmanager
async def connected(system: System) -> AsyncIterator[NatsBus]:
    bus = NatsBus(f"nats://127.0.0.1:{system.ports['nats']}", source="test")
    await bus.open(timeout_s=10)
    try:
        yield bus
    finally:
        await bus.close()


async def status(bus: NatsBus) -> BrainStatus:
    return await bus.ask(ev.BrainAsked(), BrainStatus, timeout_s=10)


async def test_what_gateways_say_is_heard_while_a_language_model_thinks(
    system: System, endpoint: HostileEndpoint
) -> None:
    """Its times would all be that of the answer: replays of the demand would see a crowd."""
    async with connected(system) as bus, asyncio.timeout(WAIT_S):
        while not endpoint.asked:
            await bus.publish(tick(figures("a"), cold("b", waiting=1)))
            await CLOCK.sleep(PAUSE_S)
        gateway, ended = Gateway(bus), 0
        while not (seen := await status(bus)).tuning or not seen.tuning.requests:
            ended += 1
            gateway.says("a", requests=ended)
            await gateway.beat()
            await CLOCK.sleep(PAUSE_S)
    assert (seen.asked, seen.answered, seen.last_failure) == (1, 0, "")
