"""Puts an engine to sleep and wakes it, and believes neither before it is seen.

That it sleeps is believed when its memory is measured free; that it is awake, when it answers its
test request with the same tokens as before. An engine that fails in either is given up with
`SLEEP_FAILED`, and nobody puts its model to sleep again. Who may not use the engine meanwhile, and
what is announced, is left to `instance.py`.
"""

from collections.abc import Awaitable
from typing import Final, NoReturn, TypeVar

from modelium.common.records import FailureKind
from modelium.runtime_agent.failures import Failure
from modelium.runtime_agent.launcher import EngineRecord
from modelium.runtime_agent.memory import MemoryMeter
from modelium.runtime_agent.runtime import CannotSleep, NotServing, Proof
from modelium.runtime_agent.watch import LOG_LINES, EngineFailed, Watch

FREED_AT_LEAST: Final = 0.5
"""Of its weights and its cache. What leaks keeps four fifths; what does not, next to nothing."""
MIB: Final = 1 << 20

T = TypeVar("T")


def must_free(record: EngineRecord, held_bytes: int) -> int:
    """The least that an engine which held `held_bytes` of a device gives back when it sleeps.

    It keeps its CUDA context and graphs, which for a small model are more than the rest: counted
    are weights and cache, where they are known.
    """
    known = record.weight_bytes + record.kv_cache_bytes if record.weight_bytes else held_bytes
    return int(min(known, held_bytes or known) * FREED_AT_LEAST)


async def fall_asleep(
    watch: Watch, meter: MemoryMeter, *, level: int, held_bytes: int, idle: bool
) -> int:
    """Put it to sleep; returns how much of each device it gave back.

    Raises:
        EngineFailed: it did not; that is no fault of its own when it was not `idle`.
    """
    record = watch.engine.record
    free = await meter.free(record.device_ids)
    kind = FailureKind.SLEEP_FAILED if idle else FailureKind.CANCELLED
    asleep = watch.runtime.sleep(watch.engine.endpoint, level)
    await _done(watch, asleep, "The engine did not fall asleep", kind)
    at_least = must_free(record, held_bytes)
    freed = await meter.given_back(free, at_least)
    if free and freed < at_least:
        reason = (
            f"Asleep the engine has freed {freed // MIB} MiB of a device,"
            f" {at_least // MIB} MiB were the least to expect"
        )
        await _give_up(watch, Failure(FailureKind.SLEEP_FAILED, reason))
    return freed


async def wake_up(watch: Watch, *, level: int, answer: str) -> Proof:
    """Wake it, and see it answer its test request with `answer`, unless that is empty.

    Raises:
        EngineFailed: it does not, or it had ended before.
    """
    await watch.ensure_running(was_ready=True)
    engine, kind = watch.engine, FailureKind.SLEEP_FAILED
    awake = watch.runtime.wake(engine.endpoint, level)
    await _done(watch, awake, "The engine did not wake", kind)
    proving = watch.runtime.prove(engine.endpoint, engine.record)
    proof = await _done(watch, proving, "The engine does not work since it slept", kind)
    if answer and proof.answer != answer:
        reason = "The engine answers its test request otherwise than before it slept"
        await _give_up(watch, Failure(kind, reason))
    return proof


async def while_asleep(watch: Watch) -> None:
    """Look after it, for ever; its health check answers as if it were awake.

    Raises:
        EngineFailed: it has ended. If it was for want of host memory, sleep was too much for it.
    """
    try:
        await watch.while_serving(lambda _usage: None)
    except EngineFailed as ended:
        if ended.failure.kind is not FailureKind.OUT_OF_MEMORY:
            raise
        failure = Failure(FailureKind.SLEEP_FAILED, f"{ended.failure.reason}, asleep")
        raise EngineFailed(failure, ended.log) from ended


async def _done(watch: Watch, order: Awaitable[T], symptom: str, kind: FailureKind) -> T:
    try:
        return await order
    except CannotSleep as refused:
        failure = Failure(FailureKind.CANCELLED, f"{symptom}: {refused.reason}")
    except NotServing as refused:
        failure = Failure(kind, f"{symptom}: {refused.reason}")
    await _give_up(watch, failure)


async def _give_up(watch: Watch, failure: Failure) -> NoReturn:
    raise EngineFailed(failure, await watch.engine.log_tail(LOG_LINES))
