"""The bus in memory: stored messages, durable positions, redelivery and dead letters.

Messages travel as bytes with headers, as over NATS, so what cannot be sent fails here too. All who
hold the same `InMemoryBus` are connected with each other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import count

from modelium.common.boundary import attempt
from modelium.common.bus import A, Handler, Handlers
from modelium.common.clock import Clock, SystemClock
from modelium.common.delivery import Again, Dead, deliver, outcome, reply_to
from modelium.common.envelope import Arrived, encode
from modelium.common.errors import DependencyUnavailable
from modelium.common.events import Message, Question
from modelium.common.subjects import EVENTS_STREAM, STREAMS, dead, subject_for, subject_of
from modelium.common.testing.clock import yield_to_others
from modelium.common.testing.event_log import InMemoryEventLog


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be handled."""

    subject: str
    payload: bytes
    reason: str


@dataclass(order=True)
class _Delivery:
    """A message on its way to one consumer or follower; the older one goes first."""

    sequence: int
    subject: str = field(compare=False)
    arrived: Arrived = field(compare=False)
    failures: int = field(default=0, compare=False)


@dataclass(eq=False)
class _Mailbox:
    """What one durable consumer, or one follower, has yet to handle."""

    subjects: tuple[str, ...]
    waiting: asyncio.PriorityQueue[_Delivery] = field(default_factory=asyncio.PriorityQueue)
    readers: int = 0
    handling: int = 0

    def takes(self, subject: str) -> bool:
        return any(fnmatchcase(subject, wanted) for wanted in self.subjects)

    def put(self, delivery: _Delivery) -> None:
        if self.takes(delivery.subject):
            self.waiting.put_nowait(replace(delivery))

    @property
    def busy(self) -> bool:
        return bool(self.readers and (self.handling or not self.waiting.empty()))

    @contextmanager
    def reading(self) -> Iterator[None]:
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1


def _is_stored(subject: str, stream: str | None = None) -> bool:
    wanted = (s for x in STREAMS if stream in (None, x.name) for s in x.subjects)
    return any(fnmatchcase(subject, s.replace(">", "*")) for s in wanted)


class InMemoryBus:
    """Implements `bus.Bus`; `clock` is what delayed redeliveries wait for."""

    def __init__(self, *, clock: Clock | None = None, source: str = "test") -> None:
        self.published: list[Message] = []
        """Every message given to `publish`, in order."""
        self.dead_letters: list[DeadLetter] = []
        self.connected = True
        self._clock = clock or SystemClock()
        self._source = source
        self._sequence = count(1)
        self._log: list[_Delivery] = []
        self._seen_ids: set[str] = set()
        self._durables: dict[str, _Mailbox] = {}
        self._followers: list[_Mailbox] = []
        self._gaps: list[Callable[[], Awaitable[None]]] = []
        self._progress = asyncio.Event()
        self._answering: dict[str, list[Handler]] = {}
        self.events = InMemoryEventLog()

    def of(self, kind: type[Message]) -> list[Message]:
        """The published messages of one kind."""
        return [message for message in self.published if isinstance(message, kind)]

    async def publish(self, message: Message) -> None:
        payload, headers = encode(message, self._source)
        self.published.append(message)
        self.inject(subject_of(message), payload, headers)

    def inject(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish anything, as another system could."""
        message_id = (headers or {}).get("Nats-Msg-Id")
        if message_id in self._seen_ids:
            return
        if message_id:
            self._seen_ids.add(message_id)
        arrived = Arrived(payload, headers or {}, f"MEMORY-{len(self._log) + 1}", self._clock.now())
        delivery = _Delivery(next(self._sequence), subject, arrived)
        if _is_stored(subject):
            self._log.append(delivery)
        if _is_stored(subject, EVENTS_STREAM):
            self.events.add(subject, arrived)
        for mailbox in (*self._durables.values(), *self._followers):
            mailbox.put(delivery)

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        by_subject = {subject_for(kind, agent_id): (kind, handlers[kind]) for kind in handlers}
        mailbox = self._durable(durable, tuple(by_subject))
        with mailbox.reading():
            async with asyncio.TaskGroup() as later:
                while True:
                    delivery = await mailbox.waiting.get()
                    again = await self._handled(mailbox, delivery, *by_subject[delivery.subject])
                    if again is not None:
                        later.create_task(self._redeliver(mailbox, delivery, again))

    def _durable(self, durable: str, subjects: tuple[str, ...]) -> _Mailbox:
        if durable not in self._durables:
            mailbox = self._durables[durable] = _Mailbox(subjects)
            for earlier in self._log:
                mailbox.put(earlier)
        return self._durables[durable]

    async def _handled(
        self, mailbox: _Mailbox, delivery: _Delivery, kind: type[Message], handler: Handler
    ) -> Again | None:
        try:
            with self._counted(mailbox):
                error = await attempt(deliver(kind, delivery.arrived, handler))
        except asyncio.CancelledError:
            mailbox.put(delivery)
            raise
        match outcome(error, delivery.failures):
            case Again() as again:
                delivery.failures += again.counts
                return again
            case Dead(reason):
                payload = delivery.arrived.payload
                self.dead_letters.append(DeadLetter(dead(delivery.subject), payload, reason))
        return None

    async def _redeliver(self, mailbox: _Mailbox, delivery: _Delivery, again: Again) -> None:
        try:
            await self._clock.sleep(again.delay_s)
        finally:
            mailbox.put(delivery)

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        by_subject = {subject_for(kind): (kind, handlers[kind]) for kind in handlers}
        mailbox = _Mailbox(tuple(by_subject))
        self._followers.append(mailbox)
        self._gaps += [on_gap] if on_gap else []
        try:
            with mailbox.reading():
                if on_gap:
                    await on_gap()
                while True:
                    delivery = await mailbox.waiting.get()
                    for subject, (kind, handler) in by_subject.items():
                        if fnmatchcase(delivery.subject, subject):
                            with self._counted(mailbox):
                                await attempt(deliver(kind, delivery.arrived, handler))
        finally:
            self._followers.remove(mailbox)
            if on_gap:
                self._gaps.remove(on_gap)

    async def ask(self, question: Question, answer: type[A], *, timeout_s: float) -> A:
        handlers = self._answering.get(subject_of(question))
        if not handlers:
            raise DependencyUnavailable(f"The {question.asked_of} does not run", "Start it")
        answers: list[bytes] = []
        arrived = Arrived(*encode(question, self._source))
        error: Exception | None = TimeoutError()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                [handler, *_] = handlers
                error = await attempt(reply_to(type(question), arrived, handler, answers.append))
        if error is not None:
            raise DependencyUnavailable(f"The {question.asked_of} did not answer", str(error))
        return answer.model_validate_json(answers[0])

    async def ask_all(
        self, question: Question, answer: type[A], *, most: int, timeout_s: float
    ) -> list[A]:
        if not self.connected:
            raise DependencyUnavailable("The bus in memory is away", "Set `connected` again")
        answers: list[bytes] = []
        arrived = Arrived(*encode(question, self._source))
        for handler in self._answering.get(subject_of(question), [])[:most]:
            await attempt(reply_to(type(question), arrived, handler, answers.append))
        return [answer.model_validate_json(reply) for reply in answers]

    async def answer(self, handlers: Handlers, *, agent_id: str | None = None) -> None:
        by_subject = {subject_for(kind, agent_id): handlers[kind] for kind in handlers}
        for subject, handler in by_subject.items():
            self._answering.setdefault(subject, []).append(handler)
        try:
            await asyncio.Event().wait()
        finally:
            for subject, handler in by_subject.items():
                self._answering[subject].remove(handler)

    @contextmanager
    def _counted(self, mailbox: _Mailbox) -> Iterator[None]:
        """Let `settled` see that a message is being handled."""
        mailbox.handling += 1
        try:
            yield
        finally:
            mailbox.handling -= 1
            self._progress.set()

    async def lose_messages(self) -> None:
        """Tell every follower that it may have missed some, as after a reconnect."""
        for on_gap in tuple(self._gaps):
            await on_gap()

    async def settled(self) -> None:
        """Wait until everything delivered is handled, but for what waits for its redelivery."""
        await yield_to_others()
        while any(mailbox.busy for mailbox in (*self._durables.values(), *self._followers)):
            self._progress.clear()
            await self._progress.wait()
            await yield_to_others()
