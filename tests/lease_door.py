"""A process's own way to the cell of a lease, which can be shut."""

from modelium.common.errors import DependencyUnavailable
from modelium.common.lease import Held
from modelium.common.testing import InMemoryLeaseCell


class Door:
    """Implements `lease.LeaseCell`; shut, it reaches nothing, as for a process that was killed or
    cut off.
    """

    def __init__(self, cell: InMemoryLeaseCell) -> None:
        self._cell = cell
        self.shut = False

    async def read(self) -> Held | None:
        self._ensure_open()
        return await self._cell.read()

    async def write(self, holder: str, seconds: float, *, after: int) -> int:
        self._ensure_open()
        return await self._cell.write(holder, seconds, after=after)

    def _ensure_open(self) -> None:
        if self.shut:
            raise DependencyUnavailable("The door is shut", "Open it")
