"""What all sections of the settings have in common."""

from typing import Final

from pydantic import BaseModel, ConfigDict

GIB: Final = 1 << 30
MIB: Final = 1 << 20
KIB: Final = 1 << 10


class Section(BaseModel):
    """Base of all sections: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
