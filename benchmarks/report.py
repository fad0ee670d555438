"""The tables of `benchmarks.gateway`, and the file with every window behind them."""

import argparse
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from benchmarks.measure import PLAIN, STREAMED, Figures

if TYPE_CHECKING:
    from benchmarks.control_plane import Times
    from benchmarks.gateway import Row

Windows = Mapping[str, Sequence[Figures]]
NONE = "-"
MB = 1_000_000


def best(windows: Windows, name: str, figure: str) -> float | None:
    """The best of all windows: the most of `per_s`, the least of everything else."""
    values = [window[figure] for window in windows.get(name, ())]
    if not values:
        return None
    return max(values) if figure == "per_s" else min(values)


def less(a: float | None, b: float | None) -> float | None:
    """`a - b`, if there are both."""
    return None if a is None or b is None else a - b


def ratio(a: float | None, b: float | None) -> float | None:
    """`a / b`, if there are both."""
    return None if a is None or not b else a / b


def show(value: float | None, digits: int = 2) -> str:
    """A number, or a dash where there is none."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if digits == 0 else f"{value:.{digits}f}"


def line(cells: Iterable[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join([line(head), "|" + "---|" * len(head), *(line(cells) for cells in body)])


def slashed(values: Iterable[float | None], digits: int) -> str:
    """Several figures in one cell."""
    return " / ".join(show(value, digits) for value in values)


def plain_table(rows: Sequence["Row"]) -> str:
    """Requests that are answered at once."""
    head = (
        "proxy, one process",
        "CPU µs/request c=32 (nginx beside)",
        "requests/s c=1 / 32 / 128",
        "÷ nginx c=1 / 32 / 128",
        "÷ direct c=32",
        "p50/p99 ms c=1",
        "c=32",
        "c=128",
        "added p50 ms c=1",
        "memory MB RSS / PSS",
    )
    return table(head, [_plain(row, len(head)) for row in rows])


def _plain(row: "Row", width: int) -> list[str]:
    if row.missing:
        return [row.name, f"not measured: {row.missing}", *[NONE] * (width - 2)]
    by_cell = [row.windows.get(cell.name, {}) for cell in PLAIN]
    one, some, _ = by_cell
    rates = [best(w, row.name, "per_s") for w in by_cell]
    nginx = [best(w, "nginx", "per_s") for w in by_cell]
    cpu = [best(some, name, "cpu_us") for name in (row.name, "nginx")]
    times = [slashed((best(w, row.name, f) for f in ("p50_ms", "p99_ms")), 2) for w in by_cell]
    added = less(best(one, row.name, "p50_ms"), best(one, "direct", "p50_ms"))
    return [
        row.name,
        f"{show(cpu[0], 1)} ({show(cpu[1], 1)})",
        slashed(rates, 0),
        slashed(map(ratio, rates, nginx), 3),
        show(ratio(rates[1], best(some, "direct", "per_s")), 3),
        *times,
        show(added),
        slashed((row.rss_bytes / MB, row.pss_bytes / MB), 0),
    ]


def stream_table(rows: Sequence["Row"]) -> str:
    """Streams of 200 chunks, 32 at a time."""
    head = (
        "proxy, one process",
        "CPU µs/chunk at 1 ms (nginx)",
        "at 10 ms (nginx)",
        "chunks/s unpaced (÷ nginx)",
        "chunks/s at 1 ms (÷ nginx)",
        "first chunk p50/p99 ms unpaced",
        "at 1 ms: p50/p99 (p50 added to direct)",
        "chunk delay p50/p99 ms at 1 ms",
        "at 10 ms",
    )
    return table(head, [_streamed(row) for row in rows if not row.missing])


def _streamed(row: "Row") -> list[str]:
    unpaced, fast, slow = (row.windows.get(cell.name, {}) for cell in STREAMED)

    def beside_nginx(windows: Windows, figure: str) -> str:
        mine, nginx = (best(windows, name, figure) for name in (row.name, "nginx"))
        if figure == "per_s":
            return f"{show(mine, 0)} ({show(ratio(mine, nginx))})"
        return f"{show(mine, 1)} ({show(nginx, 1)})"

    def both(windows: Windows, figure: str) -> str:
        names = (f"{figure}_p50_ms", f"{figure}_p99_ms")
        return slashed((best(windows, row.name, name) for name in names), 2)

    added = less(*(best(fast, name, "first_p50_ms") for name in (row.name, "direct")))
    return [
        row.name,
        beside_nginx(fast, "cpu_us"),
        beside_nginx(slow, "cpu_us"),
        beside_nginx(unpaced, "per_s"),
        beside_nginx(fast, "per_s"),
        both(unpaced, "first"),
        f"{both(fast, 'first')} ({show(added)})",
        both(fast, "delay"),
        both(slow, "delay"),
    ]


def direct_line(rows: Sequence["Row"]) -> str:
    """The engine itself, best of all windows of the run."""

    def of(cell: str, figure: str) -> float | None:
        values = [best(row.windows.get(cell, {}), "direct", figure) for row in rows]
        found = [value for value in values if value is not None]
        if not found:
            return None
        return max(found) if figure == "per_s" else min(found)

    rates = slashed((of(cell.name, "per_s") for cell in PLAIN), 0)
    chunks = slashed((of(cell.name, "per_s") for cell in STREAMED), 0)
    first = show(of("1 ms", "first_p50_ms"))
    return (
        f"Direct: {rates} requests/s at c=1 / 32 / 128, {chunks} chunks/s unpaced / at 1 ms / "
        f"at 10 ms, first chunk p50 {first} ms at 1 ms."
    )


def hops_table(times: "Times") -> str:
    """The control plane's figures."""
    both = (
        ("first request for a cold model → its agent told to load", times.to_command_ms()),
        ("engine ready → the held request at the engine", times.to_engine_ms()),
    )
    lines = [(what, show(median(ms)), show(p99(ms))) for what, ms in both]
    return table(("control plane", "p50 ms", "p99 ms"), lines)


def p99(values: Sequence[float]) -> float:
    """The value that 99 of 100 are not above."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def conditions(options: argparse.Namespace, busy: Sequence[float], took_s: float) -> dict[str, str]:
    """What one has to know to read the figures."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} CPUs, {_processor()}, Python {platform.python_version()}",
        "windows": f"{options.reps} of {options.seconds} s each, the best figure of them",
        "busy with others": f"{mean(busy):.0f} % of the CPUs before a row, {max(busy):.0f} at most",
        "took": f"{took_s:.0f} s",
    }


def _processor() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.partition(":")[2].strip()
    return platform.machine()


def markdown(rows: Sequence["Row"], hops: "Times | None", about: Mapping[str, str]) -> str:
    """The whole report."""
    parts = [plain_table(rows), stream_table(rows), direct_line(rows)]
    if hops is not None:
        parts.append(hops_table(hops))
    parts += [f"{row.name}: {row.note}" for row in rows if row.note]
    parts += [f"FAILED: {r.name} {cell}: {why}" for r in rows for cell, why in r.failed.items()]
    parts.append("; ".join(f"{name}: {value}" for name, value in about.items()))
    return "\n\n".join(parts)


def save(
    folder: Path, rows: Sequence["Row"], hops: "Times | None", about: Mapping[str, str]
) -> None:
    """Everything, as JSON in a file named for the time."""
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, object] = {"conditions": about, "proxies": [asdict(row) for row in rows]}
    if hops is not None:
        content["to_command_ms"] = hops.to_command_ms()
        content["to_engine_ms"] = hops.to_engine_ms()
    name = f"gateway-{about['when'].replace(':', '')}.json"
    (folder / name).write_text(json.dumps(content, indent=1) + "\n")
