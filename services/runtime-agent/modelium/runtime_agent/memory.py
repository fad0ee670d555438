"""Measures what engines take of devices, and waits until it is given back.

On a GPU the difference in free memory counts: one start, stop, sleep or wake happens at a time, and
NVML cannot see into containers. On a CPU an engine's memory is that of its processes, which is free
as soon as they are gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from modelium.common.clock import Clock
from modelium.common.records import DeviceKind
from modelium.runtime_agent.devices import Devices

POLL_S = 0.25
ENOUGH = 0.9
"""Of what an engine held; drivers keep a little for themselves."""

QUIET_S = 1.5
"""When no more became free for so long, all is free that will be."""

log = structlog.get_logger()

Free = dict[str, int]
"""Free bytes by device; GPUs only."""


@dataclass(frozen=True)
class MemoryMeter:
    """Measures by the driver's own figures; no wait is longer than `timeout_s`."""

    devices: Devices
    clock: Clock
    timeout_s: float

    async def free(self, device_ids: Sequence[str]) -> Free:
        """What is free now of those of these devices that are GPUs."""
        return {
            device.device_id: device.free_bytes
            for device in await self.devices.measure({})
            if device.device_id in device_ids and device.kind is DeviceKind.CUDA
        }

    async def taken(self, device_ids: Sequence[str], before: Free) -> int:
        """How much less is free than before, on the device where it is most."""
        now = await self.free(device_ids)
        return max((before[device] - now[device] for device in before), default=0)

    async def until_freed(self, before: Free, held_bytes: int) -> bool:
        """Wait until what an engine held is free; False when the time is over first."""
        wanted = {device: free + int(held_bytes * ENOUGH) for device, free in before.items()}
        deadline_s = self.clock.monotonic() + self.timeout_s
        while wanted:
            now = await self.free(tuple(wanted))
            if all(now[device] >= bytes_ for device, bytes_ in wanted.items()):
                return True
            if self.clock.monotonic() >= deadline_s:
                log.warning("memory.not_freed", free=now, wanted=wanted)
                return False
            await self.clock.sleep(POLL_S)
        return True

    async def given_back(self, before: Free, at_least: int) -> int:
        """How much more is free than before, on the device where it is least.

        Waits until that is `at_least`, and until a moment later there is no more.
        """
        deadline_s = self.clock.monotonic() + self.timeout_s
        freed = -await self.taken(tuple(before), before)
        while before and self.clock.monotonic() < deadline_s:
            await self.clock.sleep(POLL_S)
            seen, freed = freed, -await self.taken(tuple(before), before)
            if at_least <= freed <= seen:
                break
        return freed

    async def until_settled(self, device_ids: Sequence[str]) -> None:
        """Wait until no more becomes free, after the end of an engine that held nobody knows what.

        Drivers give the memory of a dead process back up to a second and a half later.
        """
        seen = await self.free(device_ids)
        quiet_since_s = self.clock.monotonic()
        deadline_s = quiet_since_s + self.timeout_s
        while seen and self.clock.monotonic() < min(deadline_s, quiet_since_s + QUIET_S):
            await self.clock.sleep(POLL_S)
            now = await self.free(device_ids)
            if any(now[device] > free for device, free in seen.items()):
                quiet_since_s = self.clock.monotonic()
            seen = now
