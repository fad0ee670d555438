"""Decides when a load has taken too long; pure.

A load may take as long as it shows progress: its log grows, or it uses processor time. Waiting
processes use a little as well, so time counts only in steps of `CPU_STEP_S`. A hard cap ends even a
load that is busy for ever.
"""

from dataclasses import dataclass

CPU_STEP_S = 0.5


@dataclass(frozen=True)
class Signs:
    """What an engine shows of itself while it loads."""

    log_mark: str
    """Changes whenever the log grows."""
    cpu_s: float
    """Processor time of all its processes together."""


@dataclass
class LoadProgress:
    """One load's deadline; times are of one monotonic clock."""

    started_s: float
    stall_timeout_s: float
    load_timeout_s: float
    section: str = "vllm"
    """Of the settings that these come from."""
    _last: Signs | None = None
    _moved_s: float = 0.0

    def overdue(self, signs: Signs, now_s: float) -> str | None:
        """Why the load should be given up, for people; None while it goes on."""
        if self._last is None or self._has_moved(self._last, signs):
            self._last, self._moved_s = signs, now_s
        if now_s - self.started_s >= self.load_timeout_s:
            return (
                f"it was not ready after {self.load_timeout_s:.0f} s"
                f" ({self.section}.load_timeout_seconds)"
            )
        if now_s - self._moved_s >= self.stall_timeout_s:
            return (
                f"its log and processor time have stood still for {self.stall_timeout_s:.0f} s"
                f" ({self.section}.stall_timeout_seconds)"
            )
        return None

    @staticmethod
    def _has_moved(last: Signs, signs: Signs) -> bool:
        return signs.log_mark != last.log_mark or signs.cpu_s - last.cpu_s >= CPU_STEP_S
