"""Waiting until memory is measured free."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelium.common.records import Device, DeviceKind
from modelium.common.testing import FakeClock
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.memory import MemoryMeter


@dataclass
class _Gpu:
    """One GPU that tells the given free bytes, one after the other."""

    free: list[int]
    kind: DeviceKind = DeviceKind.CUDA
    asked: list[Mapping[str, int]] = field(default_factory=list)

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        self.asked.append(resident)
        now = self.free.pop(0) if len(self.free) > 1 else self.free[0]
        return (Device(device_id="d", kind=self.kind, name="", total_bytes=1000, free_bytes=now),)

    def traits(self, device_id: str) -> Traits | None:
        return None


async def test_memory_counts_as_free_when_it_is_measured_free(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([100, 100, 950]), clock, 10.0)
    waiting = asyncio.ensure_future(meter.until_freed({"d": 100}, 900))
    await clock.until_sleeping()
    assert not waiting.done()
    await clock.advance(0.5)
    assert await waiting is True


async def test_the_wait_is_bounded(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([100]), clock, 10.0)
    waiting = asyncio.ensure_future(meter.until_freed({"d": 100}, 900))
    await clock.until_sleeping()
    await clock.advance(10.0)
    assert await waiting is False


async def test_what_an_engine_took_is_the_difference(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([700]), clock, 10.0)
    assert await meter.taken(("d",), {"d": 900}) == 200


async def test_the_memory_of_cpu_engines_is_that_of_their_processes(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([700], kind=DeviceKind.CPU), clock, 10.0)
    assert await meter.free(("d",)) == {}
    assert await meter.taken(("d",), {}) == 0
    assert await meter.until_freed({}, 900) is True
