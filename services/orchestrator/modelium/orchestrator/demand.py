"""What the gateways say is wanted, added up: leases, rates and the last use of each model.

A gateway's figures count until it has been silent for `LEASE_S`; what it has counted before is
not lost with it. Pure but for its own memory; `now_s` is the monotonic clock.
"""

import math
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from modelium.common.events import GatewayStats
from modelium.common.figures import LEASE_S, GatewayModelStats
from modelium.core.habit import SHORTEST_S, Habit, Rate
from modelium.core.transitions import Transitions
from modelium.orchestrator.traces import Traces

FORGET_S: Final = 300.0
COME_BACK_S: Final = 150.0
"""A client that was told to come back does so within this: gateways say 120 s at most."""
_USERS: Final = 2
NO_HABIT: Final = Habit()


@dataclass(frozen=True, slots=True)
class ModelDemand:
    """One model over all gateways, now."""

    waiting: int = 0
    oldest_wait_s: float = 0.0
    unmet_s: float = 0.0
    """For how long it has been waited for without being served, clients that came back included."""
    in_flight: int = 0
    idle_s: float | None = None
    rate_per_s: float = 0.0
    latency_p50_s: float | None = None
    keep_alive_s: float | None = None
    """What a client asked for last; None: nobody did."""
    keep_alive_age_s: float = 0.0
    others_idle_s: float | None = None
    """Since the last use by another organisation than that client's; None: none is known of."""
    habit: Habit = NO_HABIT


class Demand:
    """The memory of all gateways' figures."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, dict[str, GatewayModelStats]]] = {}
        self._rates: dict[str, Rate] = defaultdict(Rate)
        self._used_at_s: dict[str, float] = {}
        self._habits: dict[str, Habit] = {}
        self.transitions = Transitions()
        self._ended: dict[str, int] = defaultdict(int)
        self._unmet: dict[str, tuple[float, float]] = {}
        """Model to since when it is waited for in vain, and when that was last seen."""
        self._refused_at_s: dict[str, float] = {}
        """Model to when those who waited for it were last told that nobody should."""
        self._keep_alive: dict[str, tuple[float, float, str]] = {}
        """Model to when it was said how long to keep it, for how long, and by whose client."""
        self.traces = Traces()
        self._users: dict[str, dict[str, float]] = {}
        """Model to the last use by each of the two organisations that used it last."""

    def heard(self, stats: GatewayStats, now_s: float) -> None:
        """Replace what this gateway said before."""
        known = self._heard.get(stats.gateway_id)
        for model in stats.models:
            before = known[1].get(model.model) if known else None
            if known:
                self._count(model, before.requests if before else 0, now_s)
            if not before or not _in_use(before):
                self._note_pause(model, now_s)
            self._note_use(model, now_s)
            self._note_unmet(model, now_s)
            self._note_keep_alive(model, now_s)
            self._note_users(model, now_s)
        self._heard[stats.gateway_id] = (now_s, {model.model: model for model in stats.models})
        for gone in [i for i, (at_s, _) in self._heard.items() if now_s - at_s > FORGET_S]:
            del self._heard[gone]

    def _count(self, model: GatewayModelStats, before: int, now_s: float) -> None:
        ended = max(0, model.requests - before)
        self._ended[model.model] += ended
        if ended:
            self._rates[model.model].add(ended, now_s)

    def _note_pause(self, model: GatewayModelStats, now_s: float) -> None:
        """It is over when somebody waits or is served, or was since this gateway last spoke."""
        used_at_s = self._used_at_s.get(model.model)
        began_s = _began_s(model, now_s)
        if used_at_s is None or began_s is None or began_s - used_at_s < SHORTEST_S:
            return
        habit = self._habits.get(model.model, NO_HABIT)
        self._habits[model.model] = habit.after(began_s - used_at_s)
        self.transitions.used_after(model.model, began_s - used_at_s, began_s)

    def _note_use(self, model: GatewayModelStats, now_s: float) -> None:
        idle_s = 0.0 if _in_use(model) else model.idle_s
        if idle_s is not None:
            used_at_s = now_s - idle_s
            self._used_at_s[model.model] = max(
                used_at_s, self._used_at_s.get(model.model, used_at_s)
            )

    def _note_unmet(self, model: GatewayModelStats, now_s: float) -> None:
        """A plain request waits less than a minute at a time, which must not start its age anew."""
        if model.routed_generations:
            self._unmet.pop(model.model, None)
        elif model.waiting:
            since_s, seen_s = self._unmet.get(model.model, (now_s, now_s))
            began_s = now_s - model.oldest_wait_s
            answered = since_s <= self._refused_at_s.get(model.model, -math.inf) < began_s
            kept = now_s - seen_s <= COME_BACK_S and not answered
            self._unmet[model.model] = (min(since_s, began_s) if kept else began_s, now_s)

    def _note_keep_alive(self, model: GatewayModelStats, now_s: float) -> None:
        """The newest counts, whichever gateway it came by."""
        if model.keep_alive_s is not None:
            said = now_s - model.keep_alive_age_s, model.keep_alive_s, model.keep_alive_by
            self._keep_alive[model.model] = max(said, self._keep_alive.get(model.model, said))

    def refused(self, model: str, now_s: float) -> None:
        """Those who wait are told that nobody should; the age of others begins anew."""
        self._refused_at_s[model] = now_s

    def _note_users(self, model: GatewayModelStats, now_s: float) -> None:
        users = self._users.setdefault(model.model, {})
        for name, idle_s in model.organizations_idle_s.items():
            users[name] = max(now_s - idle_s, users.get(name, -math.inf))
        while len(users) > _USERS:
            del users[min(users, key=lambda name: users[name])]

    def keep_only(self, models: Collection[str]) -> None:
        """Forget all others; a gateway that still tells of one is heard anew."""
        self.transitions.keep_only(models)
        for noted in (
            self._rates,
            self._used_at_s,
            self._habits,
            self._ended,
            self._keep_alive,
            self._users,
            self._unmet,
            self._refused_at_s,
        ):
            for gone in [model for model in noted if model not in models]:
                del noted[gone]

    def any_gateway(self, now_s: float, *, since_s: float) -> bool:
        """Whether any gateway that holds its lease has spoken since."""
        return any(now_s - at_s < LEASE_S and at_s >= since_s for at_s, _ in self._heard.values())

    def all_have_spoken(self, since_s: float, now_s: float) -> bool:
        """Whether every gateway that holds its lease has said something after `since_s`."""
        heard = [at_s for at_s, _ in self._heard.values() if now_s - at_s < LEASE_S]
        return bool(heard) and min(heard) > since_s

    def ended(self, model: str) -> int:
        """Requests of a model that have ended since this began to count."""
        return self._ended.get(model, 0)

    def at_engine(self, model: str, generation: int, now_s: float) -> int:
        """Requests that one engine of the model serves now."""
        return sum(
            models[model].in_flight_generations.get(generation, 0)
            for at_s, models in self._heard.values()
            if now_s - at_s < LEASE_S and model in models
        )

    def of(self, model: str, now_s: float) -> ModelDemand:
        """What is wanted of a model now."""
        leased = [
            (now_s - at_s, models[model])
            for at_s, models in self._heard.values()
            if now_s - at_s < LEASE_S and model in models
        ]
        waits = [stats.oldest_wait_s + age_s for age_s, stats in leased if stats.waiting]
        latencies = [s.latency_p50_s for _, s in leased if s.latency_p50_s is not None]
        in_flight = sum(stats.in_flight for _, stats in leased)
        if in_flight:
            self._used_at_s[model] = now_s
        used_at_s = self._used_at_s.get(model)
        rate = self._rates.get(model)
        said_at_s, keep_alive_s, by = self._keep_alive.get(model, (now_s, None, ""))
        return ModelDemand(
            waiting=sum(stats.waiting for _, stats in leased),
            oldest_wait_s=max(waits, default=0.0),
            unmet_s=self._unmet_s(model, waits, now_s),
            in_flight=in_flight,
            idle_s=None if used_at_s is None else max(0.0, now_s - used_at_s),
            rate_per_s=rate.per_s(now_s) if rate else 0.0,
            latency_p50_s=max(latencies, default=None),
            keep_alive_s=keep_alive_s,
            keep_alive_age_s=max(0.0, now_s - said_at_s),
            others_idle_s=self._others_idle_s(model, by, now_s),
            habit=self._habits.get(model, NO_HABIT),
        )

    def _others_idle_s(self, model: str, organization: str, now_s: float) -> float | None:
        users = self._users.get(model, {})
        used_at_s = [at_s for name, at_s in users.items() if name != organization]
        return max(0.0, now_s - max(used_at_s)) if used_at_s else None

    def _unmet_s(self, model: str, waits: list[float], now_s: float) -> float:
        if not waits:
            return 0.0
        since_s, _ = self._unmet.get(model, (now_s, now_s))
        return max(now_s - since_s, *waits)


def _in_use(model: GatewayModelStats) -> bool:
    return bool(model.in_flight or model.waiting)


def _began_s(model: GatewayModelStats, now_s: float) -> float | None:
    """About when the use began that the figures show; None: they show none."""
    if model.waiting:
        return now_s - model.oldest_wait_s
    if model.in_flight:
        return now_s
    return None if model.idle_s is None else now_s - model.idle_s
