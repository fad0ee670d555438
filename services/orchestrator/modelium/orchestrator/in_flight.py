"""Commands on their way: sent, and not yet seen in a record.

A command ends when the model's record shows what it asked for, or shows that its load attempt is
over. One that stays unanswered is sent again as it was; agents carry it out once.
"""

from dataclasses import dataclass, replace
from typing import Final

from modelium.common.events import LoadModel, UnloadModel
from modelium.common.records import ModelRecord, ModelState

RESEND_AFTER_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A command and when it was last sent, by the monotonic clock."""

    command: LoadModel | UnloadModel
    at_s: float

    def again(self, now_s: float) -> "Sent":
        """The same command, sent once more."""
        return replace(self, at_s=now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether it has been unanswered for long enough to send it again."""
        return now_s - self.at_s >= RESEND_AFTER_S


def is_settled(sent: Sent, record: ModelRecord | None) -> bool:
    """Whether the record already tells what became of the command."""
    if record is None:
        return True
    generation = sent.command.generation
    if record.ended_generation >= generation or record.generation > generation:
        return True
    if record.generation < generation:
        return False
    return isinstance(sent.command, LoadModel) or record.state is ModelState.UNLOADING
