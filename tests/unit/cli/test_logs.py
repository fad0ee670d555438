"""Logs of engines that run elsewhere, by the gateway."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelium.cli.event_stream import ServerEvent
from modelium.cli.layout import Layout
from modelium.cli.logs import appended_lines, remote_lines, show_logs
from modelium.common.errors import DependencyUnavailable, ExitCode
from modelium.common.load_settings import Settings
from tests.unit.cli.test_event_stream import AWAY, Breaking
from tests.unit.cli.test_gateway_client import gateway


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"runtime_agent": {"state_directory": str(tmp_path / "state")}})


def engine_log(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "qwen.2.log").write_text("here\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_the_gateway_is_asked_where_no_such_log_lies_here(
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    with gateway(json.dumps({"lines": ["one", "two"]})) as (client, asked):
        monkeypatch.setenv("MODELIUM_URL", client.url)
        show_logs(settings, Layout(tmp_path), "qwen", lines=7, follow=False, as_json=as_json)
    assert asked == ["GET /admin/models/qwen/log?lines=7"]
    shown = capsys.readouterr().out.splitlines()
    lines = [json.loads(line)["line"] for line in shown] if as_json else shown
    assert lines == ["one", "two"]


def test_a_log_that_lies_here_is_read_here_unless_another_gateway_is_named(
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine_log(tmp_path)
    monkeypatch.delenv("MODELIUM_URL", raising=False)
    show_logs(settings, Layout(tmp_path), "qwen", lines=7, follow=False, as_json=False)
    with gateway(json.dumps({"lines": ["there"]})) as (client, _):
        monkeypatch.setenv("MODELIUM_URL", client.url)
        show_logs(settings, Layout(tmp_path), "qwen", lines=7, follow=False, as_json=False)
    assert capsys.readouterr().out.split() == ["here", "there"]


def test_who_follows_a_model_goes_on_with_its_next_engine(tmp_path: Path) -> None:
    old, new, other = (tmp_path / f"{name}.log" for name in ("qwen.9", "qwen.10", "qwen.x.11"))
    old.write_text("before\n")
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: old.write_text("before\nlast words\n"),
            lambda: (new.write_text("begins\nhal"), other.write_text("another's\n")),
            lambda: new.write_text("begins\nhalf a line\n"),
        ]
    )

    def wait(_: float) -> None:
        next(steps)()

    lines = appended_lines([old], "qwen", wait=wait)
    assert [next(lines) for _ in range(3)] == [
        ("qwen.9", "last words"),
        ("qwen.10", "begins"),
        ("qwen.10", "half a line"),
    ]


def test_a_service_is_looked_for_here_only(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELIUM_URL", "http://127.0.0.1:1")
    with pytest.raises(DependencyUnavailable, match="no log of registry here") as wrong:
        show_logs(settings, Layout(tmp_path), "registry", lines=1, follow=False, as_json=False)
    assert wrong.value.exit_code is ExitCode.UNAVAILABLE


def line(text: str, place: str) -> ServerEvent:
    return ServerEvent("line", json.dumps({"line": text}), place)


def test_who_follows_is_told_of_no_line_twice_after_a_break() -> None:
    engine = ServerEvent("engine", json.dumps({"instance_id": "qwen.2"}), "qwen.2@1")
    client = Breaking([engine, line("one", "qwen.2@2"), AWAY], [line("two", "qwen.2@3")])
    lines: Iterator[str] = remote_lines(client, "qwen", 5, wait=lambda _: None)
    assert [next(lines), next(lines)] == ["one", "two"]
    assert client.asked == [
        ("/admin/models/qwen/log?lines=5&follow=true", ""),
        ("/admin/models/qwen/log?follow=true", "qwen.2@2"),
    ]
