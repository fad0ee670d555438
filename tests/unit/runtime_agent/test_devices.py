"""CPU slots and GPUs, as the agent offers them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelium.common.errors import DependencyUnavailable
from modelium.common.records import DeviceKind
from modelium.runtime_agent.devices import (
    CPU_SHARE,
    CpuSlots,
    cgroup_files,
    machine_memory,
    slot_free_bytes,
)
from modelium.runtime_agent.gpus import find_gpus

GIB = 1 << 30


def _slots(slots: int, slot_bytes: int | None = None) -> CpuSlots:
    return CpuSlots(
        agent_id="a", slots=slots, slot_bytes=slot_bytes, slot_cores=2.0, within_cgroup=True
    )


@pytest.mark.parametrize(
    ("budget", "resident", "available", "free"),
    [
        (8, 0, 20, 8),  # the machine has more than the slot may use
        (8, 3, 20, 5),  # what engines hold is not free
        (8, 3, 4, 4),  # the kernel has less than the budget says
        (8, 9, 20, 0),  # engines hold more than their budget
    ],
)
def test_free_bytes_of_a_slot(budget: int, resident: int, available: int, free: int) -> None:
    assert slot_free_bytes(budget, resident, available) == free


async def test_slots_share_the_machine_when_no_budget_is_set() -> None:
    devices = await _slots(2).measure({})
    total = machine_memory(within_cgroup=True).total_bytes
    assert [d.device_id for d in devices] == ["cpu-a-0", "cpu-a-1"]
    assert [d.total_bytes for d in devices] == [int(total * CPU_SHARE) // 2] * 2


async def test_a_slot_with_a_budget_counts_what_its_engines_hold() -> None:
    first, second = await _slots(2, slot_bytes=1 << 20).measure({"cpu-a-0": 1 << 19})
    assert (first.free_bytes, second.free_bytes) == (1 << 19, 1 << 20)


def test_traits_of_a_foreign_device_are_none() -> None:
    slots = _slots(1, slot_bytes=GIB)
    assert slots.traits("cpu-b-0") is None
    found = slots.traits("cpu-a-0")
    assert found is not None
    assert (found.kind, found.cores, found.physical_bytes) == (DeviceKind.CPU, 2.0, GIB)


def test_limits_of_all_enclosing_control_groups_count() -> None:
    files = [limit for limit, _ in cgroup_files("0::/a/b\n")]
    assert files == [
        Path("/sys/fs/cgroup/a/b/memory.max"),
        Path("/sys/fs/cgroup/a/memory.max"),
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]


class _Nvml:
    """Two GPUs; `handles` are their numbers, as opaque to us as NVML's own."""

    class NVMLError(Exception):
        pass

    nvmlMemory_v2 = 2

    def __init__(self, *, absent: bool = False) -> None:
        self._absent = absent

    def nvmlInit(self) -> None:
        if self._absent:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"NVIDIA H200"

    def nvmlDeviceGetMemoryInfo(self, handle: int, version: int) -> Any:
        assert version == self.nvmlMemory_v2
        return SimpleNamespace(total=100 * GIB, free=70 * GIB, reserved=GIB)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        if handle == 1:
            raise self.NVMLError("Not Supported")
        return SimpleNamespace(gpu=37, memory=5)


async def test_gpus_have_a_share_of_their_memory_as_budget() -> None:
    gpus = find_gpus((), share=0.9, nvml=_Nvml())
    assert gpus is not None
    first, second = await gpus.measure({})
    assert (first.device_id, second.device_id) == ("GPU-0", "GPU-1")
    assert first.name == "NVIDIA H200"
    assert first.total_bytes == 90 * GIB
    assert first.free_bytes == 60 * GIB
    assert (first.whole_bytes, first.used_bytes) == (100 * GIB, 30 * GIB)
    assert (first.utilization, second.utilization) == (0.37, None)
    traits = gpus.traits("GPU-1")
    assert traits is not None
    assert traits.physical_bytes == 100 * GIB


async def test_only_the_gpus_that_are_named_are_owned() -> None:
    gpus = find_gpus(("GPU-1",), share=0.9, nvml=_Nvml())
    assert gpus is not None
    assert [d.device_id for d in await gpus.measure({})] == ["GPU-1"]
    assert gpus.traits("GPU-0") is None


def test_a_named_gpu_that_is_not_there_is_an_error_with_the_choice() -> None:
    with pytest.raises(DependencyUnavailable, match=r"gpu\.devices may name: GPU-0, GPU-1"):
        find_gpus(("GPU-7",), share=0.9, nvml=_Nvml())


def test_a_machine_without_a_driver_has_no_gpus() -> None:
    assert find_gpus((), share=0.9, nvml=_Nvml(absent=True)) is None


def test_a_named_gpu_without_a_driver_is_an_error() -> None:
    with pytest.raises(DependencyUnavailable, match="Driver Not Loaded"):
        find_gpus(("GPU-0",), share=0.9, nvml=_Nvml(absent=True))
