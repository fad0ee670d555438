"""Traces of requests: read from files, or generated in the same shape.

A file has the columns `t_s,model,dur_s`, more are ignored; a gzip CSV with other columns is no
trace of requests for models and is left out.
"""

import csv
import gzip
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOUR_S: Final = 3600.0
GENERATED: Final = "generated"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `at_s` since the trace began."""

    at_s: float
    model: str
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their arrival."""

    name: str
    requests: tuple[Request, ...]


def read(path: Path, *, hours: float) -> Trace | None:
    """The first hours of a file; None: it has other columns."""
    with gzip.open(path, "rt", newline="") as file:
        rows = csv.DictReader(file)
        if not {"t_s", "model", "dur_s"} <= set(rows.fieldnames or ()):
            return None
        requests = [
            Request(float(row["t_s"]), row["model"], float(row["dur_s"]))
            for row in rows
            if float(row["t_s"]) < hours * HOUR_S
        ]
    return Trace(path.name.removesuffix(".csv.gz"), tuple(sorted(requests, key=_at)))


def in_folder(folder: Path, *, hours: float) -> list[Trace]:
    """Every trace in a folder, by name."""
    found = (read(path, hours=hours) for path in sorted(folder.glob("*.csv.gz")))
    return [trace for trace in found if trace]


def generated(*, models: int = 90, hours: float, seed: int = 0) -> Trace:
    """Zipf popularity, bursts with Gamma gaps, a daily rhythm with an own peak for each model."""
    draw = random.Random(f"trace:{seed}")
    requests: list[Request] = []
    for rank in range(models):
        requests += _of_one(draw, f"model-{rank:03}", 0.15 / (rank + 1), hours * HOUR_S)
    return Trace(f"{GENERATED}-{seed}", tuple(sorted(requests, key=_at)))


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


def _at(request: Request) -> float:
    return request.at_s
