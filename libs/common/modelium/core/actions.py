"""What `decide` may answer."""

from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """Why an engine leaves its memory, for counting; the reason beside it is for people."""

    ROOM = "room"
    """Somebody waits for the memory, or sleeps better there."""
    IDLE = "idle"
    ADVICE = "advice"
    """The brain, or the rules in its place, thought so."""
    OPERATOR = "operator"
    FILES = "files"
    """They are gone or replaced."""
    COPIES = "copies"
    """Its model has more engines than it needs."""


@dataclass(frozen=True, slots=True)
class Load:
    """Start an engine of the model there, within these bytes of each device."""

    model: str
    agent_id: str
    device_ids: tuple[str, ...]
    reserve_bytes: int
    reason: str
    is_copy: bool = False
    """Beside the engines that the model has."""
    is_ahead: bool = False
    """Before anybody has asked for it, by advice."""


@dataclass(frozen=True, slots=True)
class Unload:
    """Drain the model's engine and stop it."""

    model: str
    reason: str
    copy_id: str = ""
    """Which of its copies; empty: its first engine."""
    cause: Cause = field(default=Cause.ROOM, compare=False)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Drain the model's engine and put it to sleep."""

    model: str
    level: int
    """See `SleepView`."""
    reason: str
    cause: Cause = field(default=Cause.ROOM, compare=False)


@dataclass(frozen=True, slots=True)
class Wake:
    """Wake the model's engine."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Queue:
    """The model is wanted and has to wait.

    `cause` is the same as long as the reason is the same but for its figures.
    """

    model: str
    reason: str
    cause: str
    never: bool = False
    """Waiting cannot help: it fits no device there is, beside what is always loaded; or it has
    lasted as long as it may."""
    device_id: str = ""
    """Whose memory the reason is about; empty: none."""
    victims: tuple[str, ...] = ()
    """Models that give way for it there, those first that are already on their way out; a copy by
    its instance id."""


Command = Load | Unload | Sleep | Wake
"""What an agent is told to do."""

Action = Command | Queue
