"""The cell of a lease in memory."""

from modelium.common.errors import Conflict, DependencyUnavailable
from modelium.common.lease import Held


class InMemoryLeaseCell:
    """Implements `lease.LeaseCell` for all that hold the same one."""

    def __init__(self) -> None:
        self.held: Held | None = None
        self.away = False
        """Whether nobody answers."""
        self.loses_answers = False
        """Whether a write works and says that nobody answers."""

    async def read(self) -> Held | None:
        self._ensure_there()
        return self.held

    async def write(self, holder: str, seconds: float, *, after: int) -> int:
        self._ensure_there()
        last = self.held.revision if self.held else 0
        if last != after:
            raise Conflict("lease", after)
        self.held = Held(holder, seconds, last + 1)
        if self.loses_answers:
            raise DependencyUnavailable("The answer was lost", "Ask again")
        return last + 1

    def _ensure_there(self) -> None:
        if self.away:
            raise DependencyUnavailable("The cell is away", "Let it come back")
