"""What gateways, operators and other systems want of models, as long as it counts.

Belongs to `placement_state.py`. A wish says nothing of what there is: that is in the records.
`now_s` is the monotonic clock.
"""

from collections.abc import Callable, Iterable
from typing import Final

from modelium.common.records import LIVE_STATES, ModelRecord, ModelState
from modelium.orchestrator.demand import ModelDemand

WANTED_FOR_S: Final = 60.0
"""How long a wish counts that nobody repeats and nothing comes of."""
_AWAKE_OR_ASLEEP: Final = frozenset({ModelState.LOADED, ModelState.UNLOADING, ModelState.SLEEPING})
"""And on the way from one to the other."""


class Wishes:
    """Mutable; only the owner of the state may touch it."""

    def __init__(self) -> None:
        self.to_unload: set[str] = set()
        self.to_sleep: dict[str, float] = {}
        """Model to when an operator asked for it to sleep; until it is woken or ends."""
        self._sent_away: dict[str, float] = {}
        """Model to when an operator asked for it to be unloaded."""
        self._wanted: dict[str, tuple[float, float]] = {}
        """Model to when it was first and last asked for, by an operator or another system."""
        self._at_gateways: dict[str, float] = {}
        """Model to when a gateway asked for it, until the gateways' stats tell who waits."""
        self._retried: dict[str, int] = {}
        """Model to its load attempt after which an operator has asked for it."""

    def load(self, model: str, record: ModelRecord | None, now_s: float) -> None:
        """Somebody wants the model; it counts until it is loaded, or for a while."""
        self.to_sleep.pop(model, None)
        if not _is_loaded(record):
            first_s, _ = self._wanted.get(model, (now_s, now_s))
            self._wanted[model] = (first_s, now_s)

    def load_at_gateway(self, model: str, record: ModelRecord | None, now_s: float) -> None:
        """A request waits for the model at a gateway; its stats will say so until it goes."""
        if not _is_loaded(record):
            self._at_gateways[model] = now_s

    def retry(self, record: ModelRecord | None) -> None:
        """An operator does not want to wait for the next attempt."""
        if record is not None:
            self._retried[record.model] = record.generation

    def may_retry(self, record: ModelRecord) -> bool:
        """Whether an operator has asked since its last load failed."""
        return self._retried.get(record.model) == record.generation

    def unload(self, model: str, now_s: float, *, may_have_engine: bool) -> None:
        """An operator wants it out of memory; nothing to do if it is not there."""
        self._sent_away[model] = now_s
        self._drop(model)
        self.to_sleep.pop(model, None)
        if may_have_engine:
            self.to_unload.add(model)

    def sent_away(self, model: str, idle_s: float | None, now_s: float) -> bool:
        """Whether an operator has unloaded it since it was last used, `idle_s` ago."""
        at_s = self._sent_away.get(model)
        return at_s is not None and (idle_s is None or idle_s >= now_s - at_s)

    def sleep(self, record: ModelRecord | None, now_s: float) -> None:
        """An operator wants it asleep; nothing to do if it does not serve."""
        if record is not None and record.state in _AWAKE_OR_ASLEEP:
            self.to_sleep[record.model] = now_s

    def refused(self, model: str) -> None:
        """Whoever wants it has been told that nobody should wait."""
        self._wanted.pop(model, None)

    def changed(self, record: ModelRecord) -> None:
        """What has come true, or cannot any more, is no wish."""
        if record.state not in LIVE_STATES:
            self.to_unload.discard(record.model)
        if record.state not in _AWAKE_OR_ASLEEP:
            self.to_sleep.pop(record.model, None)
        if record.state is ModelState.LOADED:
            self._drop(record.model)

    def forget(self, model: str) -> None:
        """There is no such model any more; who waits for it may see it come back."""
        self.to_unload.discard(model)
        self.to_sleep.pop(model, None)

    def keep_only(self, models: Iterable[str]) -> None:
        """Forget what was noted of models that are no longer there."""
        for noted in (self._retried, self._sent_away):
            for gone in noted.keys() - set(models):
                del noted[gone]

    def expire(
        self, now_s: float, *, known_since: Callable[[float], bool], awake: Callable[[str], bool]
    ) -> None:
        """Drop what nobody wants any more.

        `known_since` says whether all gateways have told who waits since then, `awake` whether a
        model serves and has not been told to sleep.
        """
        for model, (_, last_s) in list(self._wanted.items()):
            if now_s - last_s >= WANTED_FOR_S:
                del self._wanted[model]
        for model, at_s in list(self._at_gateways.items()):
            if now_s - at_s >= WANTED_FOR_S or known_since(at_s):
                del self._at_gateways[model]
        for model, at_s in list(self.to_sleep.items()):
            if now_s - at_s >= WANTED_FOR_S and awake(model):
                del self.to_sleep[model]

    def wanted_for_s(self, model: str, demand: ModelDemand, now_s: float) -> float | None:
        """How long somebody has been waiting for the model; None: nobody is.

        `demand` is what the gateways say of it now.
        """
        outside = self._wanted.get(model)
        waits = [now_s - outside[0]] if outside else []
        waits += [now_s - self._at_gateways[model]] if model in self._at_gateways else []
        waits += [demand.unmet_s] if demand.waiting else []
        return max(waits, default=None)

    def _drop(self, model: str) -> None:
        self._wanted.pop(model, None)
        self._at_gateways.pop(model, None)


def _is_loaded(record: ModelRecord | None) -> bool:
    return record is not None and record.state is ModelState.LOADED
