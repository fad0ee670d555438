"""What it brings to load models before they are asked for; `python -m benchmarks.policy.prewarm`.

Replays parts of traces by the rules, asked alike: without prewarm, with it by each model's own
pauses only, and with it as it is. Prints the table of docs/brain.md. Its numbers were chosen on
other parts: see there. Traces are read from the folder that TRACES names.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from modelium.core import rules
from modelium.core.policy import Policy
from modelium.core.snapshot import Snapshot
from modelium.replay.contenders import Setup
from modelium.replay.deciding import Deciding
from modelium.replay.examples import between
from modelium.replay.files import read
from modelium.replay.node import Node
from modelium.replay.simulate import Outcome, run
from modelium.replay.trace import GENERATED, HOUR_S, Trace, generated

SHARED: Final = Path(__file__).resolve().parents[3] / "shared" / "traces"
AZURE: Final = "azfn2019_100models"
SERVEGEN: Final = "servegen_90tenants"
EMPTYING: Final = Policy(evict_idle_always=True, evict_after_idle_s=300)
"""Memory is free most of the time, which is what prewarm is for."""
HEAD: Final = (
    "| trace, hours, devices, draw | mean wait | requests that waited | loads | device hours "
    "| longest wait |\n|---|---|---|---|---|---|"
)


class ByPauses(Deciding):
    """Does not see who is expected because another model has begun."""

    def snapshot(self, node: Node, *, fresh: bool = False) -> Snapshot:
        """Without that."""
        seen = Deciding.snapshot(self, node, fresh=fresh)
        blind = (replace(m, expected=None) if m.expected else m for m in seen.models)
        return replace(seen, models=tuple(blind))


@dataclass(frozen=True, slots=True)
class Case:
    """A part of a trace on so many devices."""

    trace: str
    from_h: float
    to_h: float
    devices: int
    policy: Policy = EMPTYING

    def line(self, draw: int) -> str:
        """One row: without, by pauses, and with all that is known."""
        trace, setup = self._part(draw), Setup(devices=self.devices, seed=draw)
        policy = replace(self.policy, prewarm=True)
        outcomes = (
            _outcome(trace, setup, Deciding, self.policy),
            _outcome(trace, setup, ByPauses, policy),
            _outcome(trace, setup, Deciding, policy),
        )
        name = f"{self.trace}, {self.from_h:g} to {self.to_h:g}, {self.devices}, {draw}"
        return f"| {name} | {' | '.join(_cells(outcomes))} |"

    @property
    def path(self) -> Path | None:
        """Of the trace; None: it is made up."""
        folder = Path(os.environ.get("TRACES", SHARED))
        return None if self.trace == GENERATED else folder / f"{self.trace}.csv.gz"

    def _part(self, draw: int) -> Trace:
        hours, path = self.to_h, self.path
        whole = read(path, hours=hours) if path else generated(hours=hours, seed=draw)
        return between(whole, self.from_h * HOUR_S, self.to_h * HOUR_S)


CASES: Final = (
    Case(AZURE, 12, 18, 16),
    Case(SERVEGEN, 24, 36, 8),
    Case(GENERATED, 0, 6, 16),
    Case(AZURE, 12, 18, 8, Policy()),
    Case(SERVEGEN, 24, 36, 4, Policy()),
    Case(GENERATED, 0, 6, 8, Policy()),
)
"""The last three by the default policies, where memory is full."""


def main() -> None:
    """Print the table, row by row."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--draws", type=int, default=3, help="of sizes (default: 3)")
    draws = options.parse_args().draws
    print(HEAD)
    for case in CASES:
        if case.path and not case.path.exists():
            print(f"{case.path} is not there: left out", file=sys.stderr)
            continue
        for draw in range(draws):
            print(case.line(draw), flush=True)


def _outcome(trace: Trace, setup: Setup, kind: type[Deciding], policy: Policy) -> Outcome:
    driver = kind(policy, advisor=partial(rules.advise, policy=policy), foresees=True)
    return run(setup.node(trace, sleeps=True), trace.requests, driver)


def _cells(outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    without_s = outcomes[0].mean_wait_s
    yield f"{without_s:.2f} s" + "".join(
        f", {100 * (o.mean_wait_s / without_s - 1):+.1f} %" for o in outcomes[1:]
    )
    yield ", ".join(f"{100 * o.cold / o.requests:.1f} %" for o in outcomes)
    yield ", ".join(f"{o.loads:,}" for o in outcomes)
    yield ", ".join(f"{o.device_hours:.1f}" for o in outcomes)
    yield ", ".join(f"{o.max_wait_s:.0f} s" for o in outcomes)


if __name__ == "__main__":
    main()
