"""`modelium record` beside a whole system, and `modelium replay` of what it wrote."""

import csv
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelium.cli.sample import write_sample_model
from modelium.common.settings import MIB
from tests.system import System, running, stub_python, wait_until

ENGINE = {"vllm": {"overhead_bytes": 300 * MIB, "kv_cache_bytes": 100 * MIB}}
MODELIUM = (sys.executable, "-m", "modelium.cli.main")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Two models, and memory for one engine."""
    engine = stub_python(tmp_path, "--resident-mib", "400")
    with running(tmp_path, engine_python=engine, slot_bytes=700 * MIB, settings=ENGINE) as started:
        for name in ("a", "b"):
            write_sample_model(started.models / name)
            started.wait_for_state(name, "unloaded")
        yield started


def chat(system: System, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
    request = urllib.request.Request(
        f"{system.url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert json.load(answer)["model"] == model


def models_in(trace: Path) -> list[str]:
    with trace.open() as file:
        return [row["model"] for row in csv.DictReader(file)]


def test_what_was_asked_of_the_system_is_replayed(system: System, tmp_path: Path) -> None:
    trace = tmp_path / "live.csv"
    recording = subprocess.Popen(
        (*MODELIUM, "record", str(trace)),
        env=os.environ | {"MODELIUM_NATS__URL": f"nats://127.0.0.1:{system.ports['nats']}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until("the trace is begun", trace.exists)

        def heard() -> bool:
            chat(system, "a")
            return "a" in models_in(trace)

        wait_until("a request is recorded", heard)
        for _ in range(3):
            chat(system, "b")
        wait_until("all requests for b are recorded", lambda: models_in(trace).count("b") >= 3)
        recording.send_signal(signal.SIGINT)
        _, said = recording.communicate(timeout=30)
    finally:
        recording.kill()
        recording.wait()
    assert recording.returncode == 0, said
    assert models_in(trace).count("b") == 3
    words = said.strip().splitlines()[-1].partition(" replay ")[2].split()
    [both, *_] = [words[n + 1] for n, word in enumerate(words) if word == "--device-gb"]
    assert float(both) == pytest.approx(700 * MIB / 1e9, abs=0.001)
    ended = subprocess.run(
        (*MODELIUM, "replay", *words, "--json"), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    outcomes = {row["policy"]: row for row in json.loads(ended.stdout)["live"]}
    assert outcomes["rules"]["requests"] == len(models_in(trace))
    assert outcomes["rules"]["loads"] == outcomes["lru"]["loads"] == 2
