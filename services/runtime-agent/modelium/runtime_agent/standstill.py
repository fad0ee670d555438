"""Decides when an engine that has requests seems to get on with none of them; pure.

Its health check is answered by another process than its core, and goes on when that hangs. What is
seen here is a suspicion only: a client that reads slowly looks the same from outside, and so does a
long step. Whether it can still compute, a test request shows (`watch.py`).
"""

from dataclasses import dataclass

from modelium.runtime_agent.runtime import Work

COMPUTES = 0.5
"""Cores: who uses as much computes, on a CPU. On a GPU a core that hangs may spin."""


@dataclass
class Standstill:
    """One engine's last progress; times are of one monotonic clock."""

    timeout_s: float
    _mark: str | None = None
    _moved_s: float = 0.0
    _seen_s: float = 0.0
    _cpu_s: float | None = None

    def suspects(self, work: Work, *, in_use: bool, cpu_s: float | None, now_s: float) -> bool:
        """Whether it has had requests for all of the timeout, and got on with none.

        `in_use`: a gateway has requests there; `cpu_s`: processor time so far, None on a GPU.
        """
        computes = self._computes(cpu_s, now_s)
        if computes or work.mark != self._mark or not (in_use or work.requests):
            self._mark = work.mark
            self.moved(now_s)
        return now_s - self._moved_s >= self.timeout_s

    def moved(self, now_s: float) -> None:
        """It was seen to get on."""
        self._moved_s = now_s

    def _computes(self, cpu_s: float | None, now_s: float) -> bool:
        before, since_s = self._cpu_s, self._seen_s
        self._cpu_s, self._seen_s = cpu_s, now_s
        if cpu_s is None or before is None:
            return False
        return cpu_s - before >= COMPUTES * (now_s - since_s) > 0
