"""What it takes to let a model sleep, before and after that was measured. Pure.

The priors are vLLM's on an A100, Qwen3-8B with 16 GB of weights (vLLM PR #48337): at level 1,
where host memory is pinned and written, 10.6 s to sleep and 2.2 s to wake; at level 2, where the
weights are dropped and read again, 0.3 s and 6.5 s. Of its device an engine kept 0.1 to 1.5 GB.
"""

from dataclasses import replace
from typing import Final

from modelium.core.snapshot import SleepView

GB: Final = 1_000_000_000
FIXED_S: Final = 0.3
TO_HOST_BYTES_PER_S: Final = 1.6 * GB
FROM_HOST_BYTES_PER_S: Final = 10 * GB
FROM_DISK_BYTES_PER_S: Final = 2.6 * GB
HOST_BYTES_PER_WEIGHT_BYTE: Final = 2
"""PyTorch rounds each pinned allocation up to a power of two (pytorch #95823)."""
UNKNOWN_ASLEEP_BYTES: Final = 3 * GB // 2


def prior(level: int, weight_bytes: int) -> SleepView:
    """What it is taken to be until it was measured; `level` is 1 or 2."""
    in_host_memory = level == 1
    from_bytes_per_s = FROM_HOST_BYTES_PER_S if in_host_memory else FROM_DISK_BYTES_PER_S
    return SleepView(
        level=level,
        sleep_s=FIXED_S + (weight_bytes / TO_HOST_BYTES_PER_S if in_host_memory else 0.0),
        wake_s=FIXED_S + weight_bytes / from_bytes_per_s,
        asleep_bytes=UNKNOWN_ASLEEP_BYTES,
        host_bytes=weight_bytes * HOST_BYTES_PER_WEIGHT_BYTE if in_host_memory else 0,
    )


def measured(
    view: SleepView, *, sleep_s: float | None, wake_s: float | None, asleep_bytes: int
) -> SleepView:
    """The same with what was measured; None and 0: it was not."""
    return replace(
        view,
        sleep_s=view.sleep_s if sleep_s is None else sleep_s,
        wake_s=view.wake_s if wake_s is None else wake_s,
        asleep_bytes=asleep_bytes or view.asleep_bytes,
    )
