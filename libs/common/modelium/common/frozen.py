"""The base of every value that services share."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of every shared value: immutable, tolerant of fields a newer version adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")
