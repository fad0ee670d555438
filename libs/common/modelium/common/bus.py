"""The bus as services see it: publish messages, consume them durably, follow them live, ask.

`nats_bus.NatsBus` is the real one, `testing.InMemoryBus` the one for unit tests; both pass the
same contract suite (`tests/contract`). The outcome of a handler is told by how it ends: it returns,
done; `RetryLater`, deliver again after its delay; `DependencyUnavailable`, again until it is there;
`Reject`, an illegal transition or a payload that does not parse, dead letter; any other exception
is logged and the message delivered again with a growing delay, after the fifth time a dead letter.
A message that waits to be delivered again lets the later ones pass.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from modelium.common.event_log import EventLog
from modelium.common.events import Message, Question
from modelium.common.frozen import Frozen

A = TypeVar("A", bound=Frozen)

# A handler takes its own message class; a mapping of them cannot say that in types. What it
# returns counts for a question only.
Handler = Callable[..., Awaitable[object]]
Handlers = Mapping[type[Message], Handler]


def bind(handlers: Handlers, **dependencies: Any) -> Handlers:
    """Give each handler those of `dependencies` that its keyword-only parameters name.

    Raises:
        TypeError: a handler names a dependency that is not given.
    """
    return {kind: _bound(handler, dependencies) for kind, handler in handlers.items()}


def _bound(handler: Handler, dependencies: Mapping[str, Any]) -> Handler:
    wanted = [
        name
        for name, parameter in inspect.signature(handler).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    missing = [name for name in wanted if name not in dependencies]
    if missing:
        raise TypeError(f"{handler.__qualname__} needs {', '.join(missing)}")
    return partial(handler, **{name: dependencies[name] for name in wanted})


class Bus(Protocol):
    """What services need of NATS."""

    async def publish(self, message: Message) -> None:
        """Publish under the message's own subject.

        A stored message is on disk when this returns; it is tried again while NATS is away, for up
        to a minute. Publishing the same `message_id` twice within two minutes stores it once. A
        message that is not stored is dropped silently while NATS is away.

        Raises:
            DependencyUnavailable: a stored message could not be stored within the minute.
        """

    async def consume(
        self, durable: str, handlers: Handlers, *, agent_id: str | None = None
    ) -> None:
        """Handle stored messages until cancelled, one after the other, in stream order.

        `durable` names the position that survives restarts: instances of one service share it.
        Commands (given with `agent_id`) and events may not be mixed in one call. A message that
        does not parse becomes a dead letter. Goes on by itself after NATS was away or came back
        empty.
        """

    async def follow(
        self, handlers: Handlers, *, on_gap: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Handle messages live until cancelled, stored or not; every follower gets every message.

        Messages sent while this process or NATS is away are missed: `on_gap` is awaited once when
        the subscription stands, and again whenever messages may have been missed. A handler that
        raises is logged and the message is gone.
        """

    async def ask(self, question: Question, answer: type[A], *, timeout_s: float) -> A:
        """What the service says to which the question goes; `answer` is its `answered_with`.

        Raises:
            DependencyUnavailable: NATS is away, nobody answers within the time, or whoever does
                cannot.
        """

    async def ask_all(
        self, question: Question, answer: type[A], *, most: int, timeout_s: float
    ) -> list[A]:
        """What all say who answer it: until `most` have, or the time is up.

        Raises:
            DependencyUnavailable: NATS is away.
        """

    async def answer(self, handlers: Handlers, *, agent_id: str | None = None) -> None:
        """Answer questions with what their handlers return, one after the other, until cancelled.

        Of several that answer one kind of question, each is put to one, unless it is one that is
        `asked_of_all`. Those that name an agent are answered by that one, given as `agent_id`.
        """

    @property
    def events(self) -> EventLog:
        """The stored facts, for looking at."""

    @property
    def connected(self) -> bool:
        """Whether NATS answers at the moment; for readiness."""
