"""Commands on their way: sent, and not yet seen in a record.

A command ends when the model's record shows what it asked for, or shows that its load attempt is
over. One that stays unanswered is sent again: its agent may have died after it had acknowledged the
command and before it noted it. The bus drops an id that it has seen a moment ago, so what is sent
again has an id of its own; agents know a command by its engine, and carry it out once.
"""

import math
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from modelium.common.events import LoadModel, SleepModel, UnloadModel, WakeModel
from modelium.common.records import LIVE_STATES, ModelRecord, ModelState

RESEND_AFTER_S: Final = 10.0
"""An agent tells what it makes of a command long before this."""


PlacementCommand = LoadModel | UnloadModel | SleepModel | WakeModel


@dataclass(frozen=True, slots=True)
class Sent:
    """A command and when it was last sent, by the monotonic clock."""

    command: PlacementCommand
    at_s: float

    def again(self, now_s: float) -> "Sent":
        """The same command under a new id, sent once more."""
        new_id = {"message_id": f"{self.command.instance_id}-again-{uuid4().hex}"}
        return Sent(self.command.model_copy(update=new_id), now_s)

    def overdue(self) -> "Sent":
        """The same, to be sent again at once."""
        return Sent(self.command, -math.inf)

    def is_due(self, now_s: float) -> bool:
        """Whether it has been unanswered for long enough to send it again."""
        return now_s - self.at_s >= RESEND_AFTER_S


_SETTLED: Final[dict[type[PlacementCommand], frozenset[ModelState]]] = {
    LoadModel: frozenset(ModelState),
    UnloadModel: frozenset({ModelState.UNLOADING}),
    SleepModel: frozenset({ModelState.UNLOADING, ModelState.SLEEPING}),
    WakeModel: frozenset({ModelState.LOADING, ModelState.LOADED}),
}
"""Command to the states of the record that show that its agent has begun."""


def is_settled(sent: Sent, record: ModelRecord | None) -> bool:
    """Whether the record already tells what became of the command."""
    if record is None:
        return True
    generation, settled = sent.command.generation, _SETTLED[type(sent.command)]
    copy = record.copy_of(generation)
    if copy is not None:
        return ModelState(copy.state.value) in settled
    is_first = record.generation == generation
    if is_first and (record.state in LIVE_STATES or record.ended_generation < generation):
        return record.state in settled
    return generation <= max(record.newest_generation, record.ended_generation)
