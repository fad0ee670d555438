"""What the child process is told, and what it says. Pure."""

from modelium.common.frozen import Frozen
from modelium.common.settings_policies import Policies
from modelium.core.tuning import Replayed
from modelium.replay.contenders import Setup
from modelium.replay.parts import Need
from modelium.replay.trace import Request, Trace
from modelium.replay.tuning import replayed


class Job(Frozen):
    """One round."""

    requests: tuple[tuple[float, str, float], ...]
    needs: dict[str, Need]
    devices: int
    device_bytes: int
    candidates: dict[str, Policies]
    interval_s: float
    patience_s: float


class Done(Frozen):
    """What came of it, by the names of the candidates."""

    replayed: dict[str, Replayed]
    spent_ratio: float = 1.0
    """Of the CPU time that it may take, how much it took."""


def carried_out(job: Job) -> Done:
    """Takes seconds to minutes."""
    trace = Trace("recent", tuple(Request(*each) for each in job.requests))
    setup = Setup(devices=job.devices, device_bytes=job.device_bytes, needs=job.needs)
    each = replayed(
        trace, setup, job.candidates, interval_s=job.interval_s, patience_s=job.patience_s
    )
    return Done(replayed=each)
