"""What an engine's failure says of its model's next load: when it may be, and with what; pure.

Failures in a row wait longer each time, also those of engines that were ready and soon died: one
has made good only when it has served for `STEADY_S`, was unloaded as asked, or fell asleep. Want of
memory is tried against twice at once: with a smaller cache, then with more memory
(`core/memory.py`). Whose agent was lost, or whose load was cancelled, has not failed; nor has who
found no room, but its next load waits until the agent's heartbeat has told what it has.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from modelium.common.events import RuntimeFailed
from modelium.common.records import FailureKind, ModelRecord
from modelium.registry import reasons

FIRST_RETRY_S: Final = 10.0
LONGEST_RETRY_S: Final = 300.0
NO_ROOM_RETRY_S: Final = 5.0
"""Longer than from one heartbeat to the next."""
STEADY_S: Final = LONGEST_RETRY_S
"""An engine that lives shorter than the longest wait could otherwise crash for ever without one."""
NEVER_FAILED: Final[dict[str, Any]] = {"failures": 0, "out_of_memory": 0, "retry_at": None}
NEVER_TRIED: Final[dict[str, Any]] = {"copy_retry_at": None, "failed_fingerprint": ""}
"""Beside an engine that serves."""
_OTHER_MEANS: Final = ("a smaller cache or more memory", "more memory")
"""With what loads that ran out of memory are tried again at once."""
BLAMELESS: Final = frozenset({FailureKind.CANCELLED, FailureKind.LOST})
"""These say nothing of the model's files."""


def after_failure(record: ModelRecord, event: RuntimeFailed, now: datetime) -> dict[str, Any]:
    """The fields that tell when, how and whether not to load it again, and why it failed."""
    if event.kind in BLAMELESS:
        return {"reason": reasons.failed(event.reason, None)}
    if event.kind is FailureKind.NO_ROOM:
        retry_at = now + timedelta(seconds=NO_ROOM_RETRY_S)
        return {"retry_at": retry_at, "reason": reasons.failed(event.reason, NO_ROOM_RETRY_S)}
    if event.kind is FailureKind.SLEEP_FAILED:
        return _unfit_to_sleep(record, event)
    before = _before(record, now)
    failures, out_of_memory = before.failures + 1, before.out_of_memory
    if event.kind is FailureKind.OUT_OF_MEMORY:
        out_of_memory += 1
        if out_of_memory <= len(_OTHER_MEANS):
            reason = reasons.tried_with(event.reason, _OTHER_MEANS[out_of_memory - 1])
            return {"failures": failures, "out_of_memory": out_of_memory, "reason": reason}
    wait_s = retry_delay_s(failures)
    return {
        "failures": failures,
        "out_of_memory": out_of_memory,
        "retry_at": now + timedelta(seconds=wait_s),
        "reason": reasons.failed(event.reason, wait_s),
    }


def after_unload(record: ModelRecord) -> dict[str, Any]:
    """An engine that was ready and ended as asked has made good; one that still loaded has not."""
    return {} if record.loaded_at is None else dict(NEVER_FAILED)


def retry_delay_s(failures: int) -> float:
    """How long the next load waits after `failures` in a row: 10 s, doubled each time, to 300 s."""
    return min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S)


def _before(record: ModelRecord, now: datetime) -> ModelRecord:
    served = record.loaded_at is not None and now - record.loaded_at >= timedelta(seconds=STEADY_S)
    return record.model_copy(update=NEVER_FAILED) if served else record


def _unfit_to_sleep(record: ModelRecord, event: RuntimeFailed) -> dict[str, Any]:
    """Its files are fine, so it may be loaded again at once; it only never sleeps again."""
    reason = {"reason": reasons.failed(event.reason, None)}
    of_these_files = event.fingerprint in ("", record.fingerprint)
    return reason | ({"sleepless": event.reason} if of_these_files else {})
