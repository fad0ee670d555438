"""What this gateway did and does per model: counters, leases, latencies.

A snapshot of it is the `gateway.stats` message (`announcing.py`) and the /metrics page
(`metrics.py`). The hot path only adds to plain numbers here.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from modelium.common.clock import Clock, SystemClock
from modelium.common.figures import FOREVER_S, GatewayModelStats
from modelium.gateway.engines.routing import RouteTable
from modelium.gateway.waiting.room import WaitingRoom

BUCKETS_S: Final = (0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Upper bounds of the histograms, in seconds."""
_RECENT: Final = 100
_P99: Final = 0.99
_USERS: Final = 2
"""Enough to tell when somebody else than any one organisation has used a model last."""


class Ending(StrEnum):
    """How a request ended."""

    OK = "ok"
    FAILED = "failed"
    LEFT = "left"


@dataclass(slots=True)
class Histogram:
    """Counts per bucket of `BUCKETS_S` and one beyond."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0

    def add(self, value_s: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BUCKETS_S, value_s)] += 1
        self.total_s += value_s


@dataclass(slots=True)
class ModelCounts:
    """One model's numbers since this gateway started."""

    requests: int = 0
    failures: int = 0
    left: int = 0
    """Requests whose clients did not wait for the end."""
    last_end_s: float | None = None
    in_flight: dict[int, int] = field(default_factory=dict)
    keep_alive_s: float | None = None
    keep_alive_at_s: float = 0.0
    keep_alive_by: str = ""
    used_at_s: dict[str, float] = field(default_factory=dict)
    """By organisation, only of the `_USERS` last ones, the last at the end."""
    duration: Histogram = field(default_factory=Histogram)
    first_byte: Histogram = field(default_factory=Histogram)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))


@dataclass
class Stats:
    """All models' numbers; `active` counts the requests inside this gateway, waiting or served."""

    clock: Clock = field(default_factory=SystemClock)
    models: dict[str, ModelCounts] = field(default_factory=dict)
    active: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    """By the error's code."""

    def of(self, model: str) -> ModelCounts:
        """A known model's numbers; never call it with a name that a client made up."""
        counts = self.models.get(model)
        if counts is None:
            counts = self.models[model] = ModelCounts()
        return counts

    def enter(self, model: str, generation: int) -> None:
        """A request goes to this engine now: a lease that keeps it from being stopped."""
        leases = self.of(model).in_flight
        leases[generation] = leases.get(generation, 0) + 1

    def leave(self, model: str, generation: int) -> bool:
        """The request has left that engine; whether it was the last one there."""
        leases = self.of(model).in_flight
        leases[generation] -= 1
        if leases[generation]:
            return False
        del leases[generation]
        return True

    def ended(
        self, model: str, ending: Ending, started_s: float, first_byte_s: float | None
    ) -> None:
        """A request has ended, however many engines it took."""
        counts, now_s = self.of(model), self.clock.monotonic()
        counts.requests += 1
        counts.last_end_s = now_s
        counts.duration.add(now_s - started_s)
        if ending is Ending.OK:
            counts.recent_s.append(now_s - started_s)
            if first_byte_s is not None:
                counts.first_byte.add(first_byte_s - started_s)
        elif ending is Ending.FAILED:
            counts.failures += 1
        else:
            counts.left += 1

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        """A request of this model has taken these."""
        counts = self.of(model)
        counts.prompt_tokens += prompt
        counts.completion_tokens += completion

    def refused(self, code: str) -> None:
        """A request was told why it is not answered, before it came to a model."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def used(self, model: str, organization: str, keep_alive_s: float | None = None) -> None:
        """A request has ended that an engine has served, and may have said how long to keep it.

        0: unload it as soon as nobody uses it; negative or infinite: never for being idle.
        """
        counts, now_s = self.of(model), self.clock.monotonic()
        counts.used_at_s.pop(organization, None)
        counts.used_at_s[organization] = now_s
        if len(counts.used_at_s) > _USERS:
            del counts.used_at_s[next(iter(counts.used_at_s))]
        if keep_alive_s is not None:
            counts.keep_alive_s = keep_alive_s if 0 <= keep_alive_s < math.inf else FOREVER_S
            counts.keep_alive_at_s, counts.keep_alive_by = now_s, organization

    def forget(self, model: str) -> None:
        """Drop a model that is gone, unless some request of it still runs."""
        counts = self.models.get(model)
        if counts is not None and not counts.in_flight:
            del self.models[model]

    def snapshot(
        self, table: RouteTable, room: WaitingRoom, now_s: float
    ) -> tuple[GatewayModelStats, ...]:
        """The figures of every model that serves, is waited for, or was asked for.

        Of many models most are neither, and this is said often.
        """
        used = (n for n, c in self.models.items() if c.in_flight or table.record(n) is not None)
        names: Sequence[str] = sorted({*table.routed(), *room.models(), *used})
        return tuple(self.figures(name, table, room, now_s) for name in names)

    def figures(
        self, model: str, table: RouteTable, room: WaitingRoom, now_s: float
    ) -> GatewayModelStats:
        """Those of one model, all 0 where it was never asked for."""
        counts = self.models.get(model) or ModelCounts()
        last_s, recent_s = counts.last_end_s, sorted(counts.recent_s)
        return GatewayModelStats(
            model=model,
            requests=counts.requests,
            failures=counts.failures,
            in_flight=sum(counts.in_flight.values()),
            waiting=room.count(model),
            oldest_wait_s=room.oldest_wait_s(model, now_s),
            idle_s=None if last_s is None else max(0.0, now_s - last_s),
            latency_p50_s=median(recent_s) if recent_s else None,
            latency_p99_s=recent_s[int(_P99 * len(recent_s))] if recent_s else None,
            routed_generations=table.routed_generations(model),
            in_flight_generations=dict(sorted(counts.in_flight.items())),
            keep_alive_s=counts.keep_alive_s,
            keep_alive_age_s=max(0.0, now_s - counts.keep_alive_at_s),
            keep_alive_by=counts.keep_alive_by,
            organizations_idle_s={
                name: max(0.0, now_s - at_s) for name, at_s in counts.used_at_s.items()
            },
        )
