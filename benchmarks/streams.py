"""Many streams held open at once, one chunk a second each. Run by `make bench-streams`.

Client, engine and gateway are processes of their own. Every chunk and every end is counted; the
exit code is 1 if one was lost. Memory per stream is what the gateway took more than before, shared
out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gateway import PEERS
from benchmarks.measure import warm
from benchmarks.peers.target import Place, Target
from benchmarks.processes import (
    Cpus,
    child,
    cpu_s,
    family,
    memory_bytes,
    on_cpu,
    two_cpus,
    wait_for_port,
)
from modelium.common.open_files import raise_limit
from tests.system import free_port

FILES_BESIDE = 200
"""Descriptors that a proxy needs beside two for each stream."""
PACE_US = 1_000_000


@dataclass
class Peak:
    """The most that was seen of a proxy while the streams ran."""

    rss_bytes: int = 0
    pss_bytes: int = 0
    descriptors: int = 0

    def note(self, target: Target) -> None:
        """Look at it now."""
        rss, pss = memory_bytes(target.roots)
        open_now = sum(one.num_fds() for root in target.roots for one in family(root))
        self.rss_bytes = max(self.rss_bytes, rss)
        self.pss_bytes = max(self.pss_bytes, pss)
        self.descriptors = max(self.descriptors, open_now)


def client_command(target: Target, options: argparse.Namespace) -> list[str]:
    """The program that opens the streams and counts."""
    command = [
        *(sys.executable, "-m", "benchmarks.load.streams", "--once"),
        *("--port", str(target.port), "--model", target.model),
        *("--connections", str(options.streams), "--ramp", str(options.ramp)),
        *("--chunks", str(options.seconds), "--pace-us", str(PACE_US)),
    ]
    for name, value in target.headers.items():
        command += ["--header", f"{name}: {value}"]
    return command


def hold(target: Target, cpus: Cpus, options: argparse.Namespace) -> tuple[dict[str, Any], Peak]:
    """Hold the streams open to their end; what the client counted, and the proxy's peak."""
    peak = Peak()
    limit_s = options.seconds + options.ramp + 60
    with on_cpu(cpus.load):
        client = subprocess.Popen(
            client_command(target, options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        until_s = time.monotonic() + limit_s
        while client.poll() is None and time.monotonic() < until_s:
            peak.note(target)
            time.sleep(2.0)
    finally:
        client.kill()
    output, errors = client.communicate()
    if client.returncode:
        raise SystemExit(f"the client did not end within {limit_s:.0f} s: {errors[-500:]}")
    said: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return said, peak


@contextmanager
def started(folder: Path, cpus: Cpus, name: str) -> Iterator[Target]:
    """An engine, and the proxy before it."""
    port = free_port()
    engine = [sys.executable, "-m", "benchmarks.load.engine", "--port", str(port)]
    with child(engine, cpu=cpus.load, log=folder / "engine.log"):
        wait_for_port(port)
        with PEERS[name](Place(folder, cpus, port)) as target:
            yield target


def table(options: argparse.Namespace, figures: dict[str, str]) -> str:
    """As Markdown."""
    lines = [
        f"| {options.proxy}: {options.streams:,} streams, {options.seconds} s | |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| {what} | {value} |" for what, value in figures.items())])


def shown(
    said: dict[str, Any], peak: Peak, before: tuple[int, int], spent_s: float
) -> dict[str, str]:
    """The figures by name."""
    streams, chunks = max(1, said["requests"]), max(1, said["chunks"])
    each = ((peak.rss_bytes - before[0]) / streams, (peak.pss_bytes - before[1]) / streams)
    return {
        "complete / sent": f"{said['complete']:,} / {said['requests']:,}",
        "chunks read": f"{said['chunks']:,}",
        "not 200 / broken": f"{said['not_ok']} / {said['broken']}",
        "first chunk p50 / p99": _times(said["first"]),
        "chunk delay p50 / p99": _times(said["delay"]),
        "memory before, peak (RSS)": f"{before[0] / 1e6:.0f} MB, {peak.rss_bytes / 1e6:.0f} MB",
        "memory per stream (RSS / PSS)": f"{each[0] / 1e3:.1f} / {each[1] / 1e3:.1f} kB",
        "descriptors at the peak": f"{peak.descriptors:,}",
        "CPU, opening and closing included": f"{spent_s / said['seconds'] * 100:.0f} % of one, "
        f"{spent_s / chunks * 1e6:.0f} µs per chunk",
    }


def _times(said: dict[str, float]) -> str:
    return f"{said.get('p50_ms', 0.0):.1f} / {said.get('p99_ms', 0.0):.1f} ms"


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=60, help="chunks of each stream")
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds to open them all in")
    parser.add_argument("--proxy", choices=sorted(PEERS), default="ours")
    options = parser.parse_args(argv)
    allowed = raise_limit()
    if allowed < 2 * options.streams + FILES_BESIDE:
        parser.error(
            f"--streams {options.streams} needs {2 * options.streams + FILES_BESIDE} open files "
            f"in the proxy, and {allowed} are allowed (ulimit -Hn)"
        )
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    cpus = two_cpus()
    with tempfile.TemporaryDirectory(prefix="modelium-streams-") as name:
        folder = Path(name)
        with started(folder, cpus, options.proxy) as target:
            warm(target)
            before, before_s = memory_bytes(target.roots), cpu_s(target.roots)
            said, peak = hold(target, cpus, options)
            spent_s = cpu_s(target.roots) - before_s
    for error in said["errors"]:
        print(f"lost: {error}", file=sys.stderr)
    print(table(options, shown(said, peak, before, spent_s)))
    expected = options.streams * options.seconds
    return 0 if said["complete"] == options.streams and said["chunks"] == expected else 1


if __name__ == "__main__":
    sys.exit(main())
