"""Waiting until memory is measured free."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from modelium.common.records import Device, DeviceKind
from modelium.common.testing import FakeClock
from modelium.runtime_agent.devices import Traits
from modelium.runtime_agent.memory import POLL_S, QUIET_S, MemoryMeter


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


@pytest.mark.parametrize(
    ("free", "polls", "given_back"),
    [
        ([500, 500, 500], 1, 400),  # at once, and no more comes
        ([300, 350, 500, 520, 520], 4, 420),  # until no more comes
        ([150], 40, 50),  # never enough: until the time is over
        ([500, 480, 480], 1, 380),  # somebody else takes some meanwhile
    ],
)
async def test_what_was_given_back_is_waited_for(
    clock: FakeClock, free: list[int], polls: int, given_back: int
) -> None:
    waiting = asyncio.ensure_future(
        MemoryMeter(_Gpu(free), clock, 10.0).given_back({"d": 100}, 300)
    )
    for _ in range(polls):
        await clock.until_sleeping()
        assert not waiting.done()
        await clock.advance(POLL_S)
    assert await waiting == given_back


async def test_where_nothing_is_measured_nothing_is_waited_for(clock: FakeClock) -> None:
    assert await MemoryMeter(_Gpu([100]), clock, 10.0).given_back({}, 300) == 0


async def test_what_an_engine_took_is_the_difference(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([700]), clock, 10.0)
    assert await meter.taken(("d",), {"d": 900}) == 200


async def test_the_memory_of_cpu_engines_is_that_of_their_processes(clock: FakeClock) -> None:
    meter = MemoryMeter(_Gpu([700], kind=DeviceKind.CPU), clock, 10.0)
    assert await meter.free(("d",)) == {}
    assert await meter.taken(("d",), {}) == 0
    assert await meter.until_freed({}, 900) is True


async def test_memory_that_stays_taken_is_logged_with_what_was_waited_for(
    clock: FakeClock,
) -> None:
    meter = MemoryMeter(_Gpu([100]), clock, 0.0)
    with capture_logs() as logs:
        assert await meter.until_freed({"d": 100}, 900) is False
    assert [(line["event"], line["wanted"]) for line in logs] == [("memory.not_freed", {"d": 910})]


async def test_after_a_crash_it_waits_as_long_as_more_becomes_free(clock: FakeClock) -> None:
    gpu = _Gpu([100, 100, 100, 100, 700, 950])  # nothing for three quarters of a second
    waiting = asyncio.ensure_future(MemoryMeter(gpu, clock, 10.0).until_settled(("d",)))
    for _ in range(5):
        await clock.until_sleeping()
        await clock.advance(POLL_S)
    assert gpu.free == [950]
    await clock.until_sleeping()
    await clock.advance(QUIET_S - POLL_S)
    assert not waiting.done()
    await clock.until_sleeping()
    await clock.advance(POLL_S)
    await waiting


async def test_a_device_that_never_comes_to_rest_is_not_waited_for_longer_than_allowed(
    clock: FakeClock,
) -> None:
    gpu = _Gpu(list(range(100, 1000, 10)))
    waiting = asyncio.ensure_future(MemoryMeter(gpu, clock, 3.0).until_settled(("d",)))
    for _ in range(12):
        await clock.until_sleeping()
        await clock.advance(POLL_S)
    await waiting


async def test_the_memory_of_a_cpu_engine_is_free_with_its_processes(clock: FakeClock) -> None:
    cpu = _Gpu([700], kind=DeviceKind.CPU)
    await MemoryMeter(cpu, clock, 10.0).until_settled(("d",))
