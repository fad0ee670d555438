"""Who holds which bytes of a device, and what is free.

An engine's claim on a device begins when its load is commanded and ends when its agent says that
it is unloaded or failed. Pure; `modelium.orchestrator` collects the holdings.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from modelium.common.records import Device


@dataclass(frozen=True, slots=True)
class Holding:
    """One engine's claim on one device."""

    instance_id: str
    device_id: str
    reserved_bytes: int
    resident_bytes: int = 0
    """Measured; 0 while it is not known."""
    starting: bool = False
    """Its load is commanded or running: what is not measured yet will still be taken."""

    @property
    def charged_bytes(self) -> int:
        """What the ledger counts: the reservation, or more if more was measured."""
        return max(self.reserved_bytes, self.resident_bytes)

    @property
    def still_to_take_bytes(self) -> int:
        """What the driver does not show as used yet, but may at any time.

        A running engine that was never measured is taken to be resident already.
        """
        if not self.starting and self.resident_bytes == 0:
            return 0
        return max(0, self.reserved_bytes - self.resident_bytes)


def free_bytes(device: Device, holdings: Iterable[Holding]) -> int:
    """What a new engine may be promised: min(total - ledger, measured - what is still taken)."""
    mine = [held for held in holdings if held.device_id == device.device_id]
    by_ledger = device.total_bytes - sum(held.charged_bytes for held in mine)
    by_driver = device.free_bytes - sum(held.still_to_take_bytes for held in mine)
    return max(0, min(by_ledger, by_driver))
