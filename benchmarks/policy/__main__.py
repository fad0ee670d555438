"""Replays traces through `decide` and through what others do; run by `make bench-policy`.

Prints one table in Markdown: what each policy costs on each trace, node and load time, and what
that is of the cost of LRU. Traces are read from the folder that TRACES names.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.policy import owner_speed, speed
from benchmarks.policy.report import CLAIRVOYANT, LRU, OURS, Case, Results, line, summary
from modelium.common.settings import Policies
from modelium.core.policy import policy
from modelium.replay import scored
from modelium.replay.deciding import Deciding
from modelium.replay.files import in_folder
from modelium.replay.node import Node
from modelium.replay.parts import GB, IDEAL, MEASURED, RESTART, SLEEP_LIKE, drawn_sizes
from modelium.replay.simulate import Driver, Outcome, run
from modelium.replay.trace import GENERATED, Trace, generated

SHARED: Final = Path(__file__).resolve().parents[3] / "shared" / "traces"
DRIVERS: Final[dict[str, Callable[[], Driver]]] = {
    "TTL 300 s": scored.time_to_live,
    LRU: scored.least_recently_used,
    "GDSF": scored.greedy_dual,
    OURS: lambda: Deciding(policy(Policies())),
    CLAIRVOYANT: scored.clairvoyant,
}
AZURE: Final = "azfn2019_100models"
HOST_BYTES: Final = 512 * GB


def main() -> None:
    """Print the table, row by row."""
    options = _options()
    results: Results = {}
    for number, trace in enumerate(_traces(options.hours)):
        for case in _cases(trace):
            if options.only and options.only not in str(case):
                continue
            results[case] = _runs(case, trace, options.seeds)
            print(line(case, results[case], first=not number and len(results) == 1), flush=True)
    print(summary(results, hours=options.hours, seeds=options.seeds))
    print(speed.line())
    print(owner_speed.line())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of each trace (default: 24)")
    parser.add_argument("--seeds", type=int, default=1, help="draws of sizes (default: 1)")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    return parser.parse_args()


def _traces(hours: float) -> list[Trace]:
    folder = Path(os.environ.get("TRACES", SHARED))
    found = list(in_folder(folder, hours=hours))
    if not found:
        print(f"no traces in {folder}: only a generated one is replayed", file=sys.stderr)
    return [*found, generated(hours=hours)]


def _cases(trace: Trace) -> Iterable[Case]:
    if trace.name == AZURE:
        yield Case(trace.name, 8, RESTART, levels=IDEAL)
        yield Case(trace.name, 8, RESTART, levels=MEASURED)
        yield Case(trace.name, 16, RESTART)
        yield Case(trace.name, 8, RESTART)
        yield Case(trace.name, 8, SLEEP_LIKE)
        yield Case(trace.name, 4, RESTART, overload=True)
    else:
        few = 8 if trace.name.startswith(GENERATED) else 4
        yield Case(trace.name, few, RESTART, levels=IDEAL)
        yield Case(trace.name, few, RESTART, levels=MEASURED)
        yield Case(trace.name, 2 * few, RESTART)
        yield Case(trace.name, few, RESTART)
        yield Case(trace.name, few, SLEEP_LIKE)


def _runs(case: Case, trace: Trace, seeds: int) -> dict[str, list[Outcome]]:
    models = trace.models
    outcomes: dict[str, list[Outcome]] = {name: [] for name in DRIVERS}
    for seed in range(seeds):
        for name, driver in DRIVERS.items():
            sizes = drawn_sizes(models, seed=seed)
            node = Node(
                sizes,
                devices=case.devices,
                load_time=case.load_time,
                host_bytes=HOST_BYTES if case.levels else 0,
                levels=case.levels if name == OURS else (),
            )
            outcomes[name].append(_run(node, trace, driver()))
    return outcomes


def _run(node: Node, trace: Trace, driver: Driver) -> Outcome:
    outcome = run(node, trace.requests, driver)
    if not isinstance(driver, Deciding):
        return outcome
    return replace(outcome, bound_s=driver.bound_s(node, outcome.longest_request_s))


if __name__ == "__main__":
    main()
