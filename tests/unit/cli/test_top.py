"""What `modelium top` makes of the gateway's live route."""

import io
import json
import os
import pty
import subprocess
import sys
import termios
from typing import Any

import pytest
from rich.console import Console

from modelium.cli.event_stream import ServerEvent
from modelium.cli.live_state import LiveState
from modelium.cli.top import picture, top
from modelium.cli.top_rows import bar, device_rows, model_rows, summary
from tests.unit.cli.test_gateway_client import gateway

GIB = 1 << 30


def model(name: str, state: str, **more: Any) -> dict[str, Any]:
    idle = {"requests_per_second": 0.0, "p50_ms": None, "p99_ms": None, "in_flight": 0}
    return {"model": name, "state": state, "reason": None, "eta_s": None, **idle, **more}


QWEN = model("qwen", "loaded", requests_per_second=2.5, p50_ms=12.0, p99_ms=15_200.0, in_flight=3)
PHI = model("phi", "loading", waiting=2, eta_s=14, reason="[bold]starting[/bold]")
DEVICE = {
    "device_id": "GPU-1",
    "name": "L4",
    "total_bytes": 24 * GIB,
    "budget_bytes": 20 * GIB,
    "used_bytes": 12 * GIB,
    "utilization": 0.5,
    "engines": [{"model": "qwen", "state": "loaded"}, {"model": "", "state": "sleeping"}],
}
SNAPSHOT = {
    "time": "2026-01-31T12:00:00Z",
    "gateway": {"requests_per_second": 2.5, "active_requests": 3, "waiting": 2},
    "models": [model("a", "unloaded"), QWEN, PHI],
    "devices": [DEVICE],
    "advisor": {"leads": "rules"},
}


def event(name: str, **data: Any) -> ServerEvent:
    return ServerEvent(name, json.dumps(data), "1")


@pytest.fixture
def state() -> LiveState:
    started = LiveState()
    assert started.apply(event("snapshot", **SNAPSHOT))
    return started


def test_rows_say_what_a_person_looks_for(state: LiveState) -> None:
    assert device_rows(state) == [
        ("L4", bar(1, 2), "12.0 GiB", "20.0 GiB", "50%", "qwen (loaded), others (sleeping)")
    ]
    assert model_rows(state) == [
        ("phi", "loading", "0.0", "-", "-", "0", "2", "", "ready in 14 s; [bold]starting[/bold]"),
        ("qwen", "loaded", "2.5", "12 ms", "15.2 s", "3", "0", "", ""),
        ("a", "unloaded", "0.0", "-", "-", "0", "0", "", ""),
    ]
    said = "http://g  2.5 requests/s  3 running  2 waiting  rules lead  12:00:00Z"
    assert summary(state, "http://g") == said


def test_changes_are_taken_in_and_a_new_snapshot_forgets_what_was(state: LiveState) -> None:
    assert state.apply(event("change", models=[model("qwen", "sleeping")], gone_models=["phi"]))
    assert [row["model"] for row in state.by_name()] == ["qwen", "a"]
    assert state.devices
    assert not state.apply(event("else"))
    state.apply(event("snapshot", **SNAPSHOT | {"models": [PHI], "devices": []}))
    assert (list(state.models), state.devices) == (["phi"], {})


@pytest.mark.parametrize(("part", "cells"), [(0, 0), (1, 10), (2, 20), (9, 20)])
def test_a_bar_is_never_longer_than_its_place(part: int, cells: int) -> None:
    assert bar(part, 2).count("█") == cells
    assert len(bar(part, 2)) == 20


def test_the_picture_takes_no_name_for_markup(state: LiveState) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(picture(state, "http://g"))
    text = console.export_text()
    assert "[bold]starting[/bold]" in text
    assert "12.0 GiB" in text


@pytest.mark.parametrize("as_json", [True, False])
def test_once_is_one_state_without_colours(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    body = f"retry: 2000\n\nevent: snapshot\nid: 1\ndata: {json.dumps(SNAPSHOT)}\n\n"
    with gateway(body) as (client, asked):
        top(client, once=True, as_json=as_json)
    shown = capsys.readouterr().out
    assert asked == ["GET /live"]
    assert "\x1b" not in shown
    if as_json:
        assert json.loads(shown)["models"][1]["model"] == "qwen"
    else:
        assert shown.splitlines()[-1].split()[:2] == ["a", "unloaded"]


def test_on_a_terminal_it_draws_in_place_and_q_quits() -> None:
    body = f"event: snapshot\nid: 1\ndata: {json.dumps(SNAPSHOT)}\n\n"
    ours, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    command = [sys.executable, "-m", "modelium.cli.main", "top"]
    with gateway(body) as (client, _):
        seen = os.environ | {"MODELIUM_URL": client.url, "TERM": "xterm", "COLUMNS": "200"}
        with subprocess.Popen(
            command, env=seen, stdin=terminal, stdout=terminal, stderr=terminal
        ) as shown:
            picture = b""
            while b"q or Ctrl-C quits" not in picture:
                picture += os.read(ours, 65_536)
            os.write(ours, b"xq")
            assert shown.wait(30) == 0
    assert b"\x1b[?1049h" in picture, "the screen of before comes back at the end"
    assert "█".encode() in picture
    assert termios.tcgetattr(terminal) == before
    os.close(ours)
    os.close(terminal)
