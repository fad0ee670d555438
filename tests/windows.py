"""A shared minute in memory, for as many gateways as a test wants."""

from modelium.common.clock import Clock
from modelium.common.errors import DependencyUnavailable
from modelium.gateway.access.windows import Taken

MINUTE_S = 60.0


class MemoryWindows:
    """Implements `Windows`; `answers = False` is Redis away."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken: dict[str, list[float]] = {}
        self.answers = True
        self.asked = 0

    async def take(self, name: str, window: int, units: int) -> Taken:
        if not self.answers:
            raise DependencyUnavailable("The windows in memory are away", "Set `answers` again")
        self.asked += 1
        now_s = self._clock.monotonic()
        valid = [at_s for at_s in self._taken.get(name, []) if at_s > now_s - MINUTE_S]
        free = window - len(valid)
        got = units if units <= free else max(1, free // 2) if free else 0
        valid += [now_s] * got
        self._taken[name] = valid
        frees_in_s = valid[0] + MINUTE_S - now_s if valid else 0.0
        return Taken(got, free - got, frees_in_s)

    def count(self, name: str) -> int:
        """Units taken in the last minute."""
        now_s = self._clock.monotonic()
        return sum(at_s > now_s - MINUTE_S for at_s in self._taken.get(name, []))

    async def close(self) -> None:
        """Nothing to hang up."""
