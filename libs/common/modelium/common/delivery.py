"""Giving a message to its handler, and what becomes of it then; for every kind of bus.

`deliver` ends as the handler ends, `outcome` decides by how:

- The handler returned: done.
- `RetryLater`, or something it needs is away: again, as often as it takes.
- `Reject`, an illegal transition, a payload that does not parse: dead letter.
- Anything else: again with a growing delay, dead letter after the fifth time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from modelium.common.bus import Handler
from modelium.common.envelope import TRACEPARENT_HEADER, Arrived, decode, within_trace
from modelium.common.errors import DependencyUnavailable, IllegalTransition, Reject, RetryLater
from modelium.common.events import Message
from modelium.common.frozen import Frozen
from modelium.common.tracing import NO_TRACING, Attributes, Kind, Tracing

MAX_FAILURES: Final = 5
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 10.0


@dataclass(frozen=True)
class Done:
    """Acknowledge."""


@dataclass(frozen=True)
class Again:
    """Deliver again after `delay_s`; `counts` when it is a failure on the way to a dead letter."""

    delay_s: float
    reason: str
    counts: bool


@dataclass(frozen=True)
class Dead:
    """Keep it as a dead letter with this reason."""

    reason: str


Outcome = Done | Again | Dead


async def deliver(
    kind: type[Message], arrived: Arrived, handler: Handler, tracing: Tracing = NO_TRACING
) -> None:
    """Let `handler` have the message, within the trace it belongs to.

    Raises:
        ValidationError: it is not such a message.
    """
    with within_trace(arrived.headers.get(TRACEPARENT_HEADER)):
        message = decode(kind, arrived)
        with tracing.span(f"process {kind.subject}", Kind.CONSUMER, about(message, "process")):
            await handler(message)


def about(message: Message, operation: str) -> Attributes:
    """What a span tells of a message: `operation` is process or send."""
    model = getattr(message, "model", None)
    return {
        "messaging.system": "nats",
        "messaging.destination.name": message.subject,
        "messaging.operation.type": operation,
        "messaging.message.id": message.message_id,
        **({"modelium.model": str(model)} if model else {}),
    }


async def reply_to(
    kind: type[Message], arrived: Arrived, handler: Handler, send: Callable[[bytes], None]
) -> None:
    """Give `send` the handler's answer to a question.

    Raises:
        ValidationError: it is not such a question.
    """

    async def answering(message: Message) -> None:
        answer = await handler(message)
        assert isinstance(answer, Frozen)
        send(answer.model_dump_json().encode())

    await deliver(kind, arrived, answering)


def outcome(error: Exception | None, failures: int) -> Outcome:
    """Decide by how the handler ended; `failures` counts its earlier ends that counted."""
    match error:
        case None:
            return Done()
        case RetryLater():
            return Again(error.delay_s, error.reason, counts=False)
        case DependencyUnavailable():
            return Again(_delay_s(failures), str(error), counts=False)
        case Reject() | IllegalTransition():
            return Dead(str(error))
        case ValidationError():
            return Dead(_one_line(error))
    if failures + 1 >= MAX_FAILURES:
        return Dead(f"failed {MAX_FAILURES} times: {_named(error)}")
    return Again(_delay_s(failures), _named(error), counts=True)


def _delay_s(failures: int) -> float:
    return min(FIRST_DELAY_S * 2.0**failures, LONGEST_DELAY_S)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _one_line(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'payload'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )
