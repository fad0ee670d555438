"""Questions over NATS' own request and reply: asking one, and answering those of a subject.

The answer is the plain JSON of its class. A question that cannot be answered gets an empty reply
whose header says why, so that nobody waits for a time to be up.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from modelium.common.boundary import attempt, cancellable
from modelium.common.bus import Handlers
from modelium.common.clock import Clock
from modelium.common.delivery import reply_to
from modelium.common.envelope import REASON_HEADER, Arrived
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message, Question
from modelium.common.nats_connection import AWAY, NatsConnection
from modelium.common.subjects import subject_for, subject_of

QUEUED: Final = 100
_REASON_LENGTH: Final = 1000

_log = structlog.get_logger()


async def asked(
    connection: NatsConnection,
    question: Question,
    payload: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
) -> bytes:
    """The answer to the question, as it came.

    Raises:
        DependencyUnavailable: there is none.
    """
    if not connection.connected:
        raise connection.unavailable("does not answer")
    try:
        with cancellable():
            reply = await connection.client.request(
                subject_of(question), payload, timeout=timeout_s, headers=dict(headers)
            )
    except nats.errors.NoRespondersError as nobody:
        raise unanswered(question, "does not run") from nobody
    except AWAY as silence:
        raise unanswered(question, f"did not answer within {timeout_s:g} s") from silence
    if reason := (reply.headers or {}).get(REASON_HEADER):
        raise unanswered(question, f"could not answer: {reason}")
    return reply.data


def unanswered(question: Question, why: str) -> DependencyUnavailable:
    """The error that says who did not answer."""
    return DependencyUnavailable(
        f"The {question.asked_of} {why}", f"See the log of the {question.asked_of}"
    )


class Gathering:
    """Asks a question of all who answer it."""

    def __init__(self, connection: NatsConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def replies(
        self,
        question: Question,
        payload: bytes,
        headers: Mapping[str, str],
        most: int,
        timeout_s: float,
    ) -> list[bytes]:
        """What was said by then; those who could not answer are left out."""
        if not self._connection.connected:
            raise self._connection.unavailable("does not answer")
        client, deadline_s = self._connection.client, self._clock.monotonic() + timeout_s
        inbox = client.new_inbox()
        found: list[bytes] = []
        try:
            with cancellable():
                subscription = await client.subscribe(inbox)
                await client.publish(subject_of(question), payload, inbox, dict(headers))
                while len(found) < most:
                    left_s = max(0.001, deadline_s - self._clock.monotonic())
                    reply = await subscription.next_msg(left_s)
                    if _is_answer(reply):
                        found.append(reply.data)
        except nats.errors.TimeoutError:
            pass
        except AWAY as error:
            raise self._connection.unavailable(f"did not pass it on: {error!r}") from error
        with suppress(*AWAY):
            await subscription.unsubscribe()
        return found


def _is_answer(reply: Msg) -> bool:
    headers = reply.headers or {}
    return REASON_HEADER not in headers and "Status" not in headers


def _is_for_all(kind: type[Message]) -> bool:
    return issubclass(kind, Question) and kind.asked_of_all


class NatsAnswerer:
    """Runs until cancelled; see `bus.Bus.answer`."""

    def __init__(
        self, connection: NatsConnection, handlers: Handlers, agent_id: str | None = None
    ) -> None:
        self._connection = connection
        self._handlers = handlers
        self._agent_id = agent_id
        self._queue: asyncio.Queue[tuple[type[Message], Msg]] = asyncio.Queue(QUEUED)

    async def run(self) -> None:
        subscriptions: list[Subscription] = []
        try:
            await self._connection.until_connected()
            for kind in self._handlers:
                subscriptions.append(await self._subscribe(kind))
            while True:
                await self._handle(*await self._queue.get())
        finally:
            for subscription in subscriptions:
                with suppress(*AWAY):
                    await subscription.unsubscribe()

    async def _subscribe(self, kind: type[Message]) -> Subscription:
        subject = subject_for(kind, self._agent_id)
        return await self._connection.client.subscribe(
            subject, queue="" if _is_for_all(kind) else subject, cb=partial(self._enqueue, kind)
        )

    async def _enqueue(self, kind: type[Message], msg: Msg) -> None:
        with suppress(asyncio.QueueFull):  # its asker gives up by itself
            self._queue.put_nowait((kind, msg))

    async def _handle(self, kind: type[Message], msg: Msg) -> None:
        if not msg.reply:
            return
        answers: list[bytes] = []
        arrived = Arrived(msg.data, msg.headers or {})
        error = await attempt(reply_to(kind, arrived, self._handlers[kind], answers.append))
        if error is not None:
            _log.warning("bus.not_answered", subject=msg.subject, reason=repr(error))
        headers = {REASON_HEADER: _one_line(error)} if error else {}
        await self._connection.send(msg.reply, b"".join(answers), headers)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_REASON_LENGTH] or repr(error)
