"""The sentences that say why a model does not serve; pure.

Every record in a state other than `loaded` carries one of them in `ModelRecord.reason`. It is shown
beside the state, and so does not repeat that.
"""

from collections.abc import Sequence
from typing import Final

NOT_ANALYSED: Final = "waiting for its files to be analysed"
ANALYSING: Final = "analysing its files"
NOT_REQUESTED: Final = "not requested yet"
NEW_FILES: Final = "its files have changed; it serves the old ones while the new are analysed"
REPLACED: Final = "its files have changed; it serves the old ones until the new are loaded"
RETRIED: Final = "an operator asked to try it again"
FILES_GONE: Final = "its files are gone; it ends with its engine"


def new_files_refused(why: str) -> str:
    """An engine goes on with the files that were there before."""
    return f"its new files cannot be served, it serves the old ones: {why}"


def new_files_failed(why: str) -> str:
    """The new files did not load beside the engine of the old ones."""
    why = why.rstrip(".") or "their engine failed"
    return f"its new files failed to load, it serves the old ones: {why}"


def loading(device_ids: Sequence[str]) -> str:
    """An engine is being started or woken."""
    return f"its engine starts on {', '.join(device_ids) or 'a device'}"


def asleep(level: int) -> str:
    """The engine is there, without its memory."""
    weights = "in host memory" if level == 1 else "on disk only"
    return f"its weights are {weights}"


def draining(why: str) -> str:
    """The engine takes no more requests and ends those it has."""
    return f"draining: {why}" if why else "draining before it is stopped"


def unloaded(why: str) -> str:
    """The engine has ended as asked."""
    return f"its engine was stopped: {why}" if why else "not requested since its engine was stopped"


def failed(why: str, retry_in_s: float | None) -> str:
    """The engine did not start or has ended by itself; `retry_in_s` is how long it must wait."""
    why = why.rstrip(".") or "its engine failed"
    return why if retry_in_s is None else f"{why}; no new attempt for {retry_in_s:g} s"


def tried_with(why: str, other_means: str) -> str:
    """The engine failed, and its next load need not wait: it gets other means."""
    return f"{why.rstrip('.') or 'its engine failed'}; the next load gets {other_means}"
