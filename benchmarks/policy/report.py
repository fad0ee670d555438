"""The table."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from modelium.replay.parts import Level, LoadTime
from modelium.replay.simulate import Outcome

LRU: Final = "LRU"
OURS: Final = "Modelium"
CLAIRVOYANT: Final = "clairvoyant"
HEAD: Final = (
    "| trace, devices, loads | policy | cold | loads | mean wait s | p99 s | max s | bound s "
    "| mean ÷ LRU |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A trace on a node."""

    trace: str
    devices: int
    load_time: LoadTime
    overload: bool = False
    """More is asked for than can be loaded: not part of the mean over the cases."""
    levels: tuple[Level, ...] = ()
    """At which Modelium's engines may sleep; nobody else's can."""

    def __str__(self) -> str:
        levels = " and ".join(str(level.number) for level in self.levels)
        tier = f" + asleep at {levels}" if levels else ""
        return f"{self.trace}, {self.devices}, {self.load_time.name}{tier}"


Outcomes = Mapping[str, list[Outcome]]
Results = dict[Case, Outcomes]


def line(case: Case, outcomes: Outcomes, *, first: bool) -> str:
    """The rows of one case."""
    rows = [
        f"| {case} | {name} | {_mean(o.cold / o.requests for o in of_one):.1%} "
        f"| {_mean(o.loads for o in of_one):.0f} | {_wait_s(of_one):.3f} "
        f"| {_mean(o.p99_wait_s for o in of_one):.0f} | {max(o.max_wait_s for o in of_one):.0f} "
        f"| {_bound(of_one)} | {_wait_s(of_one) / _wait_s(outcomes[LRU]):.3f} |"
        for name, of_one in outcomes.items()
    ]
    return "\n".join([HEAD, *rows] if first else rows)


def summary(results: Results, *, hours: float, seeds: int) -> str:
    """Geometric means over the cases, and how far we are from LRU to the clairvoyant."""
    usual = {c: o for c, o in results.items() if not c.overload and not c.levels}
    if not usual:
        return ""
    ratios = {
        name: [_wait_s(o[name]) / _wait_s(o[LRU]) for o in usual.values()]
        for name in next(iter(usual.values()))
    }
    means = ", ".join(
        f"{name} {math.exp(_mean(map(math.log, r))):.3f} ({min(r):.3f}-{max(r):.3f})"
        for name, r in ratios.items()
    )
    closed = ", ".join(f"{case}: {_closed(outcomes):.0%}" for case, outcomes in results.items())
    return (
        f"\nMean wait ÷ LRU, geometric mean over the cases without overload (least-most): {means}."
        f"\nClosed of the distance from LRU to clairvoyant: {closed}."
        f"\nThe first {hours:g} hours of each trace, {seeds} draw(s) of sizes."
    )


def _bound(outcomes: list[Outcome]) -> str:
    promised_s = [o.bound_s for o in outcomes if o.bound_s is not None]
    return f"{max(promised_s):.0f}" if promised_s else ""


def _closed(outcomes: Outcomes) -> float:
    lru, ours, best = (_wait_s(outcomes[name]) for name in (LRU, OURS, CLAIRVOYANT))
    return (lru - ours) / (lru - best) if lru != best else 0.0


def _wait_s(outcomes: list[Outcome]) -> float:
    return _mean(outcome.mean_wait_s for outcome in outcomes)


def _mean(numbers: Iterable[float]) -> float:
    listed = list(numbers)
    return sum(listed) / len(listed)
