"""The port to devices, and its adapter for a machine without a GPU: CPU slots with a budget.

A slot's free memory is its budget less what its engines were measured to hold, and never more than
the kernel says is available. GPUs are left to `gpus.py`; who may use how much of a device to the
orchestrator's ledger.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from modelium.common.records import Device, DeviceKind

CPU_SHARE = 0.7
"""Of the machine's memory that CPU slots share unless a budget is set; the rest is for others."""
_NO_CGROUP_LIMIT = 1 << 60
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Traits:
    """What an engine's command line needs to know of a device."""

    device_id: str
    kind: DeviceKind
    physical_bytes: int
    cores: float = 0.0
    """Processor cores of a CPU slot; 0 for a GPU."""


class Devices(Protocol):
    """The devices that this agent owns."""

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        """All of them as they are now; `resident` are the measured bytes of engines by device."""

    def traits(self, device_id: str) -> Traits | None:
        """None: not a device of this agent."""


@dataclass(frozen=True)
class MachineMemory:
    """Of this machine, or of the part of it that this process may use."""

    total_bytes: int
    available_bytes: int


def cgroup_files(membership: str) -> list[tuple[Path, Path]]:
    """Limit and usage files that bound a process whose /proc/self/cgroup says `membership`."""
    path = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "/")
    here = CGROUPS / path.strip("/")
    folders = [here, *(p for p in here.parents if p.is_relative_to(CGROUPS))]
    version_2 = [(f / "memory.max", f / "memory.current") for f in folders]
    old = CGROUPS / "memory"
    return [*version_2, (old / "memory.limit_in_bytes", old / "memory.usage_in_bytes")]


def machine_memory(*, within_cgroup: bool) -> MachineMemory:
    """Measure; `within_cgroup` where the engines live under this process's own limits."""
    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    if within_cgroup:
        for limit, left in _cgroup_limits():
            total, available = min(total, limit), min(available, left)
    return MachineMemory(total, max(0, available))


def _cgroup_limits() -> list[tuple[int, int]]:
    """(limit, bytes left) of each enclosing group that has a limit."""
    try:
        membership = Path("/proc/self/cgroup").read_text()
    except OSError:
        return []
    found = []
    for limit_file, usage_file in cgroup_files(membership):
        limit = _number(limit_file)
        if limit is not None and limit < _NO_CGROUP_LIMIT:
            found.append((limit, limit - (_number(usage_file) or 0)))
    return found


def _number(path: Path) -> int | None:
    """The file's number; None for no file, or for `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


class CpuSlots:
    """CPU slots; `within_cgroup` as in `machine_memory`."""

    def __init__(
        self,
        *,
        agent_id: str,
        slots: int,
        slot_bytes: int | None,
        slot_cores: float | None,
        within_cgroup: bool,
    ) -> None:
        machine = machine_memory(within_cgroup=within_cgroup)
        budget = slot_bytes or int(machine.total_bytes * CPU_SHARE) // slots
        cores = slot_cores or (psutil.cpu_count() or 1) / slots
        self._within_cgroup = within_cgroup
        self._budget_bytes = budget
        self._traits = {
            f"cpu-{agent_id}-{n}": Traits(f"cpu-{agent_id}-{n}", DeviceKind.CPU, budget, cores)
            for n in range(slots)
        }

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        machine = await asyncio.to_thread(machine_memory, within_cgroup=self._within_cgroup)
        busy = min(1.0, psutil.cpu_percent() / 100)
        return tuple(
            Device(
                device_id=slot,
                kind=DeviceKind.CPU,
                name=f"CPU slot {number}",
                total_bytes=self._budget_bytes,
                free_bytes=slot_free_bytes(
                    self._budget_bytes, resident.get(slot, 0), machine.available_bytes
                ),
                used_bytes=resident.get(slot, 0),
                utilization=busy,
            )
            for number, slot in enumerate(self._traits)
        )

    def traits(self, device_id: str) -> Traits | None:
        return self._traits.get(device_id)


def slot_free_bytes(budget_bytes: int, resident_bytes: int, available_bytes: int) -> int:
    """What is left of a slot's budget, as far as the machine really has it."""
    return max(0, min(budget_bytes - resident_bytes, available_bytes))
