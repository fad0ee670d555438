"""One window of load on one target, and what it cost; every figure of a window, none of a run."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import request
from benchmarks.peers.target import Target
from benchmarks.processes import Cpus, cpu_s, on_cpu
from tests.system import ROOT

POST_LUA = ROOT / "benchmarks" / "load" / "post.lua"
STREAMS = 32
CHUNKS = 200
WARM_REQUESTS = 30
WARM_S = 30.0


@dataclass(frozen=True)
class Cell:
    """One kind of load: plain requests at a concurrency, or streams at a pace."""

    name: str
    concurrency: int
    pace_us: int | None = None
    """Between the chunks of a stream; None: plain requests."""


PLAIN = tuple(Cell(f"c={n}", n) for n in (1, 32, 128))
STREAMED = tuple(
    Cell(name, STREAMS, pace) for name, pace in (("unpaced", 0), ("1 ms", 1_000), ("10 ms", 10_000))
)

Figures = Mapping[str, float]
"""Of one window; `per_s` and `cpu_us` are per request, or per chunk of a stream."""


class LoadFailed(Exception):
    """Answers were wrong or did not come: the figures would mean nothing."""


def measure(target: Target, cell: Cell, seconds: int, cpus: Cpus, folder: Path) -> Figures:
    """One window of this load; raises LoadFailed unless every answer was right."""
    before = cpu_s(target.roots), cpu_s(target.beside)
    if cell.pace_us is None:
        said = _wrk(target, cell.concurrency, seconds, cpus, folder)
        done, figures = said["requests"], _of_plain(said)
    else:
        said = _streams(target, cell, seconds, cpus)
        done, figures = said["chunks"], _of_streams(said)
    spent = cpu_s(target.roots) - before[0], cpu_s(target.beside) - before[1]
    if not done or said["not_ok"] or said["broken"]:
        raise LoadFailed(f"{cell.name}: {json.dumps(said)}")
    return {
        **figures,
        "per_s": done / said["seconds"],
        "cpu_us": spent[0] / done * 1e6,
        "beside_cpu_us": spent[1] / done * 1e6,
    }


def warm(target: Target) -> None:
    """A few requests, one after the other, so that what is made on first use has been made."""
    headers = {"content-type": "application/json", **target.headers}
    url = f"http://127.0.0.1:{target.port}{request.PATH}"
    for _ in range(WARM_REQUESTS):
        post = urllib.request.Request(url, request.body(model=target.model), headers)
        try:
            urllib.request.urlopen(post, timeout=WARM_S).close()
        except OSError as error:
            raise LoadFailed(f"a single request: {error}") from error


def _of_plain(said: Mapping[str, Any]) -> Figures:
    return {"p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"]}


def _of_streams(said: Mapping[str, Any]) -> Figures:
    return {
        "first_p50_ms": said["first"].get("p50_ms", 0.0),
        "first_p99_ms": said["first"].get("p99_ms", 0.0),
        "delay_p50_ms": said["delay"].get("p50_ms", 0.0),
        "delay_p99_ms": said["delay"].get("p99_ms", 0.0),
    }


def _wrk(
    target: Target, concurrency: int, seconds: int, cpus: Cpus, folder: Path
) -> dict[str, Any]:
    content = folder / "body.json"
    content.write_bytes(request.body(model=target.model))
    headers = [text for pair in target.headers.items() for text in pair]
    command = [
        *("wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "--timeout", "30s"),
        *("-s", str(POST_LUA), f"http://127.0.0.1:{target.port}{request.PATH}"),
        *("--", str(content), *headers),
    ]
    return _last_line(command, cpus)


def _streams(target: Target, cell: Cell, seconds: int, cpus: Cpus) -> dict[str, Any]:
    command = [
        *(sys.executable, "-m", "benchmarks.load.streams", "--port", str(target.port)),
        *("--connections", str(cell.concurrency), "--seconds", str(seconds)),
        *("--chunks", str(CHUNKS), "--pace-us", str(cell.pace_us), "--model", target.model),
    ]
    for name, value in target.headers.items():
        command += ["--header", f"{name}: {value}"]
    return _last_line(command, cpus)


def _last_line(command: list[str], cpus: Cpus) -> dict[str, Any]:
    with on_cpu(cpus.load):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise LoadFailed(f"{command[0]} ended with {ended.returncode}: {ended.stderr[-500:]}")
    said: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return said
