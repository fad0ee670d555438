"""What `modelium status` shows of the gateway's answer."""

import json
from pathlib import Path

import pytest

from modelium.cli.layout import Layout
from modelium.cli.show import show_models, show_status
from tests.unit.cli.test_gateway_client import gateway

MODEL = {"model": "qwen", "state": "loaded", "task": "chat", "size_bytes": 2048, "reason": ""}


def test_the_status_warns_of_names_that_are_no_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = {"models": [MODEL], "always_loaded_missing": ["qwne"]}
    with gateway(json.dumps(system)) as (client, _):
        show_status(client, Layout(tmp_path), as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == "models   1 (1 loaded)"
    assert shown[2] == "warning  always_loaded names what is no model: qwne"


def test_without_such_names_the_status_warns_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gateway(json.dumps({"models": [], "always_loaded_missing": []})) as (client, _):
        show_status(client, Layout(tmp_path), as_json=False)
    assert "warning" not in capsys.readouterr().out


def test_a_model_with_several_engines_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engines = [{"state": "loaded"}, {"state": "loaded"}, {"state": "loading"}]
    with gateway(json.dumps({"models": [{**MODEL, "engines": engines}]})) as (client, _):
        show_status(client, Layout(tmp_path), as_json=False)
    assert "loaded, 2 engines" in capsys.readouterr().out


def test_models_show_who_is_pinned(capsys: pytest.CaptureFixture[str]) -> None:
    pinned = {**MODEL, "pinned": True}
    with gateway(json.dumps({"models": [pinned]})) as (client, _):
        show_models(client, as_json=False)
    assert "loaded, pinned" in capsys.readouterr().out
