"""The model host, solo and on Ray, beside the same model in plain FastAPI and in Ray Serve.

Run by `make bench-host`, with the engine's interpreter and wrk. All four run at the same time on
all CPUs, one thread each for the model, and are measured one after the other, `--reps` times, so
that a ratio compares what was measured within seconds; each figure is the best of them. A window
fails if one answer was wrong or missing. Prints a table.
"""

import argparse
import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import POST_LUA, Figures, LoadFailed
from benchmarks.processes import family, memory_bytes
from benchmarks.report import best, ratio, show, table
from tests.faults.run import vllm_python
from tests.system import ROOT, free_port, wait_until

CONCURRENCIES = (1, 16)
WIDTH = 64
SERVERS = ("ours", "ours-ray", "fastapi", "ray-serve")
MODELS = ("small", "large")
PEERS = ROOT / "benchmarks" / "peers" / "model_servers.py"
PATH = "/v2/models/m/infer"
START_S = 180.0
STOP_S = 30.0
SIGNATURE = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, WIDTH]}]}


@dataclass(frozen=True)
class Server:
    """One that runs."""

    process: psutil.Process
    port: int


def command(name: str, model: Path, port: int) -> list[str]:
    """How it is started, after the interpreter."""
    if not name.startswith("ours"):
        kind = "fastapi" if name == "fastapi" else "ray"
        return [str(PEERS), kind, str(model), str(port)]
    return [
        *("-m", "modelium.model_host", "--name", "m", "--path", str(model)),
        *("--format", "torchscript", "--task", "tensor", "--threads", "1"),
        *("--port", str(port), "--mode", "ray" if "ray" in name else "solo"),
        *("--signature", json.dumps(SIGNATURE)),
    ]


@contextmanager
def running(python: Path, name: str, model: Path) -> Iterator[Server]:
    """A server of this model that answers."""
    port = free_port()
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "PYTHONPATH": str(ROOT / "services" / "model-host"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    log = model.with_name(f"{name}.log")
    with log.open("wb") as output:
        started = subprocess.Popen(
            [python, *command(name, model, port)], stdout=output, stderr=output, env=environment
        )
    process = psutil.Process(started.pid)
    try:
        wait_until(f"{name} answers", lambda: answers(port), START_S)
        yield Server(process, port)
    finally:
        left = family(process)
        started.terminate()
        psutil.wait_procs(left, timeout=STOP_S)
        for one in left:
            if one.is_running():
                one.kill()
        started.wait(STOP_S)


def body() -> bytes:
    """One row."""
    row = {"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": [0.5] * WIDTH}
    return json.dumps({"inputs": [row]}).encode()


def ask(port: int) -> list[float]:
    """What the model says to that row."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        found: list[float] = json.load(response)["outputs"][0]["data"]
    return found


def answers(port: int) -> bool:
    """Whether it does."""
    try:
        return bool(ask(port))
    except OSError:
        return False


def window(server: Server, concurrency: int, seconds: int, folder: Path) -> Figures:
    """One window of load."""
    content = folder / "body.json"
    content.write_bytes(body())
    load = [
        *("wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "--timeout", "30s"),
        *("-s", str(POST_LUA), f"http://127.0.0.1:{server.port}{PATH}", "--", str(content)),
    ]
    ended = subprocess.run(load, capture_output=True, text=True, check=True)
    said = json.loads(ended.stdout.strip().splitlines()[-1])
    if not said["requests"] or said["not_ok"] or said["broken"]:
        raise LoadFailed(json.dumps(said))
    return {"per_s": said["requests"] / said["seconds"], "p50_ms": said["p50_ms"]}


Rows = dict[str, dict[str, list[Figures]]]
"""Windows by server and by concurrency."""


def measured(
    python: Path, model: Path, names: list[str], reps: int, seconds: int
) -> tuple[Rows, dict[str, int]]:
    """All windows of these servers, and the memory (PSS) of each."""
    rows: Rows = {name: {} for name in names}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(running(python, name, model)) for name in names}
        expected = ask(servers[names[-1]].port)
        for name, server in servers.items():
            found = ask(server.port)
            if max(abs(a - b) for a, b in zip(found, expected, strict=True)) > 1e-5:
                raise LoadFailed(f"{name} answers {found}, not {expected}")
            window(server, max(CONCURRENCIES), 1, model.parent)
        for concurrency in CONCURRENCIES * reps:
            for name, server in servers.items():
                figures = window(server, concurrency, seconds, model.parent)
                rows[name].setdefault(f"c={concurrency}", []).append(figures)
        memory = {name: memory_bytes([server.process])[1] for name, server in servers.items()}
    return rows, memory


def shown(rows: Rows, memory: Mapping[str, int]) -> str:
    """The table of one model."""
    cells = [f"c={concurrency}" for concurrency in CONCURRENCIES]
    figures: dict[str, Any] = {
        name: [best(windows, cell, "per_s") for cell in cells] for name, windows in rows.items()
    }
    nothing = [None] * len(cells)
    lines = []
    for name, windows in rows.items():
        rates = figures[name]
        against = [
            " / ".join(
                show(ratio(a, b)) for a, b in zip(rates, figures.get(peer, nothing), strict=True)
            )
            for peer in ("fastapi", "ray-serve")
        ]
        p50 = [show(best(windows, cell, "p50_ms")) for cell in cells]
        rate = " / ".join(show(value, 0) for value in rates)
        megabytes = show(memory[name] / 1e6, 0)
        lines.append([name, rate, *against, " / ".join(p50), megabytes])
    head = ["server", "requests/s c=1 / 16", "÷ fastapi", "÷ ray serve", "p50 ms", "PSS MB"]
    return table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SERVERS), help="of these servers, with commas")
    options = parser.parse_args()
    names = [name for name in SERVERS if name in options.only.split(",")]
    python = vllm_python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([python, PEERS, "models", folder], check=True, capture_output=True)
        for model in MODELS:
            path = folder / f"{model}.pt"
            found = measured(python, path, names, options.reps, options.seconds)
            print(f"\n{model}.pt, {path.stat().st_size / 1e6:.1f} MB\n\n{shown(*found)}")


if __name__ == "__main__":
    main()
