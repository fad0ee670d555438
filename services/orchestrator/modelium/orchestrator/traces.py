"""Which trace asked for which model, so that what is decided for it is part of that trace. Pure."""

from collections.abc import Iterable
from typing import Final

from modelium.core.actions import Action, Queue

MOST: Final = 1000


class Traces:
    """The last trace that asked for each model, until the model is loaded."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def note(self, model: str, traceparent: str | None) -> None:
        """Somebody has asked for it, perhaps within a trace; said twice of one, the first counts.

        (The orchestrator that leads hears each request twice, in any order.)
        """
        if traceparent is None or len(self._of) >= MOST:
            return
        if _trace_id(self._of.get(model, "")) != _trace_id(traceparent):
            self._of[model] = traceparent

    def drop(self, model: str) -> None:
        """It is loaded, or gone."""
        self._of.pop(model, None)

    def of_actions(self, actions: Iterable[Action]) -> dict[str, str]:
        """Model to the trace that its action belongs to: a victim's is that of who waits."""
        if not self._of:
            return {}
        waiting = [action for action in actions if isinstance(action, Queue)]
        of_victims = {
            victim: self._of[queued.model]
            for queued in waiting
            if queued.model in self._of
            for victim in queued.victims
        }
        return {**of_victims, **self._of}


def _trace_id(traceparent: str) -> str:
    return traceparent[3:35]  # version-trace-span-flags
