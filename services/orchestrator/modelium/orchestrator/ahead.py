"""Which models were loaded by advice before anybody asked for them, and not asked for since.

Belongs to `placement_state.py`; `now_s` is the monotonic clock. It does not survive a restart: such
a load goes on then, and the model may be loaded ahead once more.
"""

from collections.abc import Collection


class LoadedAhead:
    """Mutable; only the owner of the state may touch it."""

    def __init__(self) -> None:
        self._at_s: dict[str, float] = {}
        """Model to when its load was commanded."""

    def note_load(self, model: str, now_s: float, *, is_ahead: bool) -> None:
        """Its load was commanded, ahead or for somebody."""
        self._at_s.pop(model, None)
        if is_ahead:
            self._at_s[model] = now_s

    def wanted(self, model: str) -> None:
        """Somebody asks for it."""
        self._at_s.pop(model, None)

    def for_s(self, model: str, idle_s: float | None, now_s: float) -> float | None:
        """How long ago it was loaded ahead; None: it was not since it was last used."""
        at_s = self._at_s.get(model)
        unused = at_s is not None and (idle_s is None or idle_s > now_s - at_s)
        return now_s - at_s if at_s is not None and unused else None

    def keep_only(self, models: Collection[str]) -> None:
        """Forget what was noted of models that are no longer there."""
        for gone in self._at_s.keys() - models:
            del self._at_s[gone]
