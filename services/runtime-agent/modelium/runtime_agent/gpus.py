"""GPUs by NVML: UUIDs, and memory as the driver measures it.

The budget of a GPU is a share of its memory; what the driver itself reserves counts as used.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pynvml

from modelium.common.errors import DependencyUnavailable
from modelium.common.records import Device, DeviceKind
from modelium.runtime_agent.devices import Traits

_PERCENT: Final = 100


def find_gpus(wanted: Sequence[str], *, share: float, nvml: Any = pynvml) -> "Gpus | None":
    """The GPUs of this machine (of `wanted` UUIDs, if any are named); None: it has none.

    Raises:
        DependencyUnavailable: a wanted GPU is not there.
    """
    try:
        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as missing:
        if wanted:
            raise DependencyUnavailable(
                f"NVML finds no GPU ({missing})", "Install the driver, or empty gpu.devices."
            ) from missing
        return None
    handles = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(count)]
    by_uuid = {_text(nvml.nvmlDeviceGetUUID(handle)): handle for handle in handles}
    absent = [uuid for uuid in wanted if uuid not in by_uuid]
    if absent:
        raise DependencyUnavailable(
            f"There is no GPU {', '.join(absent)}", f"gpu.devices may name: {', '.join(by_uuid)}."
        )
    chosen = {uuid: by_uuid[uuid] for uuid in wanted or by_uuid}
    return Gpus(chosen, share=share, nvml=nvml) if chosen else None


class Gpus:
    """Some GPUs of this machine, by UUID. NVML's handles are opaque, hence `Any`."""

    def __init__(self, handles: Mapping[str, Any], *, share: float, nvml: Any) -> None:
        self._handles = handles
        self._share = share
        self._nvml = nvml
        self._traits = {
            uuid: Traits(uuid, DeviceKind.CUDA, self._memory(handle).total)
            for uuid, handle in handles.items()
        }

    async def measure(self, resident: Mapping[str, int]) -> tuple[Device, ...]:
        return await asyncio.to_thread(self._measure)

    def traits(self, device_id: str) -> Traits | None:
        return self._traits.get(device_id)

    def _measure(self) -> tuple[Device, ...]:
        return tuple(self._device(uuid, handle) for uuid, handle in self._handles.items())

    def _device(self, uuid: str, handle: Any) -> Device:
        memory = self._memory(handle)
        budget = int(memory.total * self._share)
        used = memory.total - memory.free
        return Device(
            device_id=uuid,
            kind=DeviceKind.CUDA,
            name=_text(self._nvml.nvmlDeviceGetName(handle)),
            total_bytes=budget,
            free_bytes=max(0, budget - used),
            whole_bytes=memory.total,
            used_bytes=used,
            utilization=self._utilization(handle),
        )

    def _utilization(self, handle: Any) -> float | None:
        """Of the last sample; None for what is not counted, such as a part of a GPU (MIG)."""
        try:
            rates = self._nvml.nvmlDeviceGetUtilizationRates(handle)
        except self._nvml.NVMLError:
            return None
        return min(1.0, max(0.0, float(rates.gpu) / _PERCENT))

    def _memory(self, handle: Any) -> Any:
        """Version 2, whose `free` does not count what the driver reserves."""
        return self._nvml.nvmlDeviceGetMemoryInfo(handle, version=self._nvml.nvmlMemory_v2)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
