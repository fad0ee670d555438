"""What an engine has written: the answer of its agent, bounded in every direction; pure."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from modelium.common.frozen import Frozen

MOST_LINES: Final = 2000
LINE_CHARS: Final = 2000
"""Of one line; what is longer is cut."""
LOG_BYTES: Final = 128 * 1024
"""Of all lines; written as JSON it is still far from what a message of NATS may have."""

EngineId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.[0-9]+$")]
"""An instance id, of which a file name is made."""


class EngineLog(Frozen):
    """A part of an engine's log."""

    known: bool = Field(description="whether anything is kept of such an engine")
    lines: tuple[str, ...] = ()
    mark: str = Field(default="", description="ask with it in `after` for what comes then")


def bounded(lines: Sequence[str], most: int) -> tuple[str, ...]:
    """The last of them, as many as may be told; long ones are cut."""
    left = LOG_BYTES
    kept: list[str] = []
    for line in reversed(lines[-most:]):
        cut = line[:LINE_CHARS]
        left -= len(cut.encode())
        if left < 0:
            break
        kept.append(cut)
    return tuple(reversed(kept))
