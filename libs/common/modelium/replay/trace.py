"""Traces of requests: what is asked for when, and for how long an engine is at it. Pure.

A trace comes from a file (`files.py`), or is made up in the shape of those known.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

HOUR_S: Final = 3600.0
GENERATED: Final = "generated"


class Request(NamedTuple):
    """One request; `at_s` since the trace began."""

    at_s: float
    model: str
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their arrival."""

    name: str
    requests: tuple[Request, ...]

    @property
    def models(self) -> set[str]:
        """All that are asked for."""
        return {request.model for request in self.requests}

    def of_most_used(self, count: int) -> "Trace":
        """Only the requests for so many models, those that are asked for most."""
        uses = Counter(request.model for request in self.requests)
        kept = set(sorted(uses, key=lambda model: (-uses[model], model))[:count])
        return Trace(self.name, tuple(r for r in self.requests if r.model in kept))


def generated(*, models: int = 90, hours: float, seed: int = 0) -> Trace:
    """Zipf popularity, bursts with Gamma gaps, a daily rhythm with an own peak for each model."""
    draw = random.Random(f"trace:{seed}")
    requests: list[Request] = []
    for rank in range(models):
        requests += _of_one(draw, f"model-{rank:03}", 0.15 / (rank + 1), hours * HOUR_S)
    return Trace(f"{GENERATED}-{seed}", in_order(requests))


def in_order(requests: list[Request]) -> tuple[Request, ...]:
    """By arrival; those that come at the same time keep their order."""
    return tuple(sorted(requests, key=lambda request: request.at_s))


def _of_one(
    draw: random.Random, model: str, rate_per_s: float, until_s: float
) -> Iterator[Request]:
    """A quarter of the models is called by a timer, the others come in bursts."""
    peak_s = draw.uniform(0, 24 * HOUR_S)
    timer_s = draw.choice([0.0, 0.0, 0.0, 60.0 * draw.choice([5, 10, 15, 30, 60])])
    at_s = draw.uniform(0, 600)
    while at_s < until_s:
        yield Request(at_s, model, draw.lognormvariate(1.2, 0.7))
        if timer_s:
            at_s += max(1.0, timer_s + draw.gauss(0, 3))
        else:
            rhythm = 1 + 0.8 * math.cos(2 * math.pi * (at_s - peak_s) / (24 * HOUR_S))
            at_s += draw.gammavariate(0.3, 1 / (0.3 * rate_per_s * rhythm))
