"""What the watcher asks of the process that analyses, and what it takes for an answer; pure."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modelium.common.descriptor import Descriptor
from modelium.common.frozen import Frozen
from modelium.watcher.listing import Candidate
from modelium.watcher.safety.probe import Confined

LONGEST_ANSWER: Final = 1 << 20
LONGEST_REASON: Final = 600


class Request(Frozen):
    """One candidate to analyse; without one, what the process can still do is tried."""

    candidate: Candidate | None = None
    supported: tuple[str, ...] = ()
    own_code: bool = False
    """The operator trusts this model's code."""
    trusted_keys: tuple[Path, ...] = ()
    """Not empty: the model has to be signed by one of them."""
    readable: tuple[Path, ...] = ()
    seconds: int = 60
    memory_bytes: int = 1 << 30


class Answer(BaseModel):
    """Exactly one of these; whoever answers otherwise is not believed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    descriptor: Descriptor | None = None
    invalid: Annotated[str, Field(min_length=1)] | None = None
    confined: Confined | None = None

    @model_validator(mode="after")
    def _one(self) -> "Answer":
        if sum(it is not None for it in (self.descriptor, self.invalid, self.confined)) != 1:
            raise ValueError("one of descriptor, invalid, confined was expected")
        return self


def plain(text: str, longest: int = LONGEST_REASON) -> str:
    """One line without anything that a terminal would obey, as a stranger may have chosen it."""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    line = " ".join(words)
    return line if len(line) <= longest else line[: longest - 1] + "…"
