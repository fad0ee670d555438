"""What every message over NATS has; the kinds are in `events.py` and `reports.py`."""

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from pydantic import Field

from modelium.common.clock import utc_now
from modelium.common.frozen import Frozen


class Message(Frozen):
    """Base of all; `stored` messages go through JetStream, the others may be lost."""

    subject: ClassVar[str]
    stored: ClassVar[bool] = True

    message_id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)
    occurred_at: datetime = Field(default_factory=utc_now)


class Question(Message):
    """Base of what is asked and answered at once, over NATS' request and reply; never stored."""

    stored: ClassVar[bool] = False
    asked_of: ClassVar[str]
    """The service that answers."""
    answered_with: ClassVar[type[Frozen]]
    asked_of_all: ClassVar[bool] = False
    """Whether all processes of that service answer, not any one of them."""
