"""What somebody wants of a model; whether and when it is done is the orchestrator's to say.

`events.py` has them too, with all other messages.
"""

from pydantic import Field

from modelium.common.message import Message
from modelium.common.records import ModelName, ModelRecord, ModelState


class Wish(Message):
    """What all wishes have in common."""

    model: ModelName
    requested_by: str = Field(default="", description="gateway, operator or system")


class ModelRequested(Wish):
    """Somebody wants a model that is not loaded: a gateway's waiting request, or another system."""

    subject = "model.requested"


class ModelUnloadRequested(Wish):
    """An operator wants a model out of memory now; it is drained first."""

    subject = "model.unload_requested"


class ModelSleepRequested(Wish):
    """An operator wants a model asleep now; it is drained first."""

    subject = "model.sleep_requested"


class ModelRetryRequested(Wish):
    """An operator wants a model that has failed tried again now, as if it had never failed."""

    subject = "model.retry_requested"


class ModelPinRequested(Wish):
    """An operator wants a model always loaded from now on, or no longer."""

    subject = "model.pin_requested"

    pinned: bool = Field(default=True, description="false: no longer")


def is_pinned(record: ModelRecord) -> bool:
    """Whether it is always loaded, by an operator or by what lies beside its files."""
    return record.pinned or is_pinned_by_file(record)


def is_pinned_by_file(record: ModelRecord) -> bool:
    """Whether what lies beside its files says that it is always loaded."""
    overrides = record.descriptor.overrides if record.descriptor else None
    return overrides is not None and overrides.pin is True


def has_failed(record: ModelRecord) -> bool:
    """Whether there is anything that a retry would forget."""
    beside_others = record.failed_fingerprint or record.copy_retry_at is not None
    return record.state is ModelState.ERROR or bool(beside_others or record.sleepless)
