"""NATS subjects and the streams that keep them.

A message class names its subject (`events.py`); here is how a subject is made from a message, which
streams exist, and where dead letters go. No subject is spelled anywhere else.
"""

from dataclasses import dataclass
from typing import Final

from modelium.common.events import Command, EngineLogAsked, Message

EVENTS_STREAM: Final = "MODELIUM_EVENTS"
"""Facts: kept for a week, read by every service through a durable consumer of its own."""
COMMANDS_STREAM: Final = "MODELIUM_COMMANDS"
"""Commands: each removed once its agent has acknowledged it, and after an hour in any case."""
OLDEST_LOAD_S: Final = 60.0
"""Whoever commanded an older load has long since given its memory to others (it takes an agent for
lost after seconds): agents refuse it. Well above that, since the sender's clock may differ; clocks
that are further apart than this need to be set."""
DEAD_STREAM: Final = "MODELIUM_DEAD"
"""Messages that could not be handled, with the reason in `Modelium-Reason`: kept for 30 days."""

LEASES_BUCKET: Final = "MODELIUM_LEASES"
"""Key-value bucket: a key per service of which one process leads (`lease.py`)."""

DEAD_PREFIX: Final = "dead."


@dataclass(frozen=True)
class Stream:
    """One JetStream stream; `max_age_s` in seconds, `max_bytes` on disk."""

    name: str
    subjects: tuple[str, ...]
    max_age_s: int
    max_bytes: int
    work_queue: bool = False


STREAMS: Final = (
    Stream(EVENTS_STREAM, ("model.*", "runtime.*", "decision.*"), 7 * 86400, 256 << 20),
    Stream(COMMANDS_STREAM, ("command.>",), 3600, 64 << 20, work_queue=True),
    Stream(DEAD_STREAM, ("dead.>",), 30 * 86400, 64 << 20),
)

STORED_FACTS: Final = STREAMS[0].subjects
"""The subjects of all facts, as NATS' wildcards say them."""


def subject_of(message: Message) -> str:
    """Where `message` is published."""
    if isinstance(message, Command | EngineLogAsked):
        return message.subject.format(agent_id=message.agent_id)
    return message.subject


def subject_for(kind: type[Message], agent_id: str | None = None) -> str:
    """Where messages of `kind` arrive; where they go to agents, those of one (None: of all)."""
    return kind.subject.format(agent_id=agent_id or "*")


def dead(subject: str) -> str:
    """Where a message goes that could not be handled."""
    return DEAD_PREFIX + subject
