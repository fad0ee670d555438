"""The gateway beside its peers: requests, streams, memory. Run by `make bench-gateway`.

One CPU has the proxy, the other the load and the engine. Each proxy is one process with one worker.
For every kind of load, the engine itself, nginx and the proxy are measured one after the other, so
that a ratio compares what was measured within seconds on the same machine; this is done `--reps`
times, and each figure is the best of them. Prints a table; all windows go to .modelium/bench/.
"""

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import structlog

from benchmarks import report
from benchmarks.control_plane import control_plane
from benchmarks.measure import PLAIN, STREAMED, Cell, Figures, LoadFailed, measure, warm
from benchmarks.peers import others
from benchmarks.peers.ours import ours, ours_open
from benchmarks.peers.target import Missing, Place, Start, Target
from benchmarks.processes import (
    Cpus,
    child,
    memory_bytes,
    two_cpus,
    wait_for_port,
)
from modelium.common.open_files import raise_limit
from tests.system import ROOT, free_port

PEERS: dict[str, Start] = {
    "nginx": others.nginx,
    "ours": ours,
    "sglang-router": others.sglang_router,
    "vllm-router": others.vllm_router,
    "fastapi+aiohttp": others.fastapi_proxy,
    "litellm": others.litellm,
    "ours-open": ours_open,
}
USUAL = tuple(name for name in PEERS if name != "ours-open")
QUICK = ("c=32", "1 ms")
RESULTS = ROOT / ".modelium" / "bench"


@dataclass
class Row:
    """One proxy: its windows by kind of load and by what was measured (direct, nginx, it)."""

    name: str
    note: str = ""
    missing: str = ""
    rss_bytes: int = 0
    pss_bytes: int = 0
    windows: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What all proxies of a run have in common."""

    folder: Path
    cpus: Cpus
    engine_port: int
    cells: tuple[Cell, ...]
    reps: int
    seconds: int
    yardsticks: dict[str, Target]

    def row(self, name: str) -> Row:
        """Start one proxy, measure it, stop it."""
        row = Row(name)
        try:
            with ExitStack() as stack:
                target = self.yardsticks.get(name) or self._start(stack, name)
                row.note = target.note
                self._measure(row, target)
                row.rss_bytes, row.pss_bytes = memory_bytes(target.roots)
        except Missing as reason:
            row.missing = str(reason)
        except LoadFailed as reason:
            row.failed["warming up"] = str(reason)
        return row

    def _start(self, stack: ExitStack, name: str) -> Target:
        return stack.enter_context(PEERS[name](self.place(name)))

    def place(self, name: str) -> Place:
        """A new folder for this proxy."""
        folder = self.folder / name
        folder.mkdir()
        return Place(folder, self.cpus, self.engine_port)

    def _measure(self, row: Row, target: Target) -> None:
        warm(target)
        for cell in self.cells:
            found = row.windows[cell.name] = {}
            try:
                for _ in range(self.reps):
                    for name, one in {**self.yardsticks, row.name: target}.items():
                        found.setdefault(name, []).append(self._window(one, cell, self.seconds))
            except LoadFailed as reason:
                row.failed[cell.name] = str(reason)
            print(f"  {row.name} {cell.name}", file=sys.stderr, flush=True)

    def _window(self, target: Target, cell: Cell, seconds: int) -> Figures:
        return measure(target, cell, seconds, self.cpus, self.folder)


def measured(options: argparse.Namespace, folder: Path) -> tuple[list[Row], list[float]]:
    """All proxies that were chosen, and how busy others kept the machine before each (percent)."""
    cpus = two_cpus()
    port = free_port()
    cells = tuple(c for c in PLAIN + STREAMED if not options.quick or c.name in QUICK)
    engine = [sys.executable, "-m", "benchmarks.load.engine", "--port", str(port)]
    with ExitStack() as stack:
        stack.enter_context(child(engine, cpu=cpus.load, log=folder / "engine.log"))
        wait_for_port(port)
        (folder / "yard").mkdir()
        beside = stack.enter_context(others.nginx(Place(folder / "yard", cpus, port)))
        yardsticks = {"direct": Target(port), "nginx": beside}
        run = Run(folder, cpus, port, cells, options.reps, options.seconds, yardsticks)
        rows, busy = [], []
        for name in options.only:
            busy.append(psutil.cpu_percent(1.0))
            rows.append(run.row(name))
    return rows, busy


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help=f"once, and only {' and '.join(QUICK)}"
    )
    parser.add_argument("--only", default=",".join(USUAL), help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each window")
    parser.add_argument("--rounds", type=int, default=100, help="cold models of the control plane")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := [name for name in options.only if name not in PEERS]:
        parser.error(f"--only: no such proxy: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    if options.quick:
        options.reps, options.rounds = 1, min(options.rounds, 20)
    return options


def main() -> int:
    options = parse()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed; run scripts/bench-peers")
    raise_limit()
    # The table alone is for stdout.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelium-bench-") as name:
        rows, busy = measured(options, Path(name))
        hops = control_plane(Path(name) / "control", options.rounds) if options.rounds else None
    conditions = report.conditions(options, busy, time.monotonic() - began_s)
    print(report.markdown(rows, hops, conditions))
    report.save(RESULTS, rows, hops, conditions)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
